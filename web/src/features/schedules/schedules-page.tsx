import { CalendarClock } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Card, EmptyState, Page } from '@/ui/layout';

export function SchedulesPage() {
    const { t } = useTranslation('schedules');
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Card>
                <EmptyState icon={CalendarClock} title={t('empty.title')}>
                    {t('empty.help')}
                </EmptyState>
            </Card>
        </Page>
    );
}
