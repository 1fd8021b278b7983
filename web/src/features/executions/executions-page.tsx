import { Activity } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Card, EmptyState, Page } from '@/ui/layout';

export function ExecutionsPage() {
    const { t } = useTranslation('executions');
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Card>
                <EmptyState icon={Activity} title={t('empty.title')}>
                    {t('empty.help')}
                </EmptyState>
            </Card>
        </Page>
    );
}
