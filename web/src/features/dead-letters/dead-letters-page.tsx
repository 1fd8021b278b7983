import { MailX } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Card, EmptyState, Page } from '@/ui/layout';

export function DeadLettersPage() {
    const { t } = useTranslation('dead-letters');
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Card>
                <EmptyState icon={MailX} title={t('empty.title')}>
                    {t('empty.help')}
                </EmptyState>
            </Card>
        </Page>
    );
}
