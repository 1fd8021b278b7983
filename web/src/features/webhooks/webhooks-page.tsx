import { Webhook } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Card, EmptyState, Page } from '@/ui/layout';

export function WebhooksPage() {
    const { t } = useTranslation('webhooks');
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Card>
                <EmptyState icon={Webhook} title={t('empty.title')}>
                    {t('empty.help')}
                </EmptyState>
            </Card>
        </Page>
    );
}
