import { Gauge } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Card, EmptyState, Page } from '@/ui/layout';

export function OverviewPage() {
    const { t } = useTranslation('overview');
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Card>
                <EmptyState icon={Gauge} title={t('empty.title')}>
                    {t('empty.help')}
                </EmptyState>
            </Card>
        </Page>
    );
}
