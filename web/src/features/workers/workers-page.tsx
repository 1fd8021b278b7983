import { Server } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Card, EmptyState, Page } from '@/ui/layout';

export function WorkersPage() {
    const { t } = useTranslation('workers');
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Card>
                <EmptyState icon={Server} title={t('empty.title')}>
                    {t('empty.help')}
                </EmptyState>
            </Card>
        </Page>
    );
}
