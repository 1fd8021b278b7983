import { Users } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Card, EmptyState, Page } from '@/ui/layout';

export function AccessPage() {
    const { t } = useTranslation('access');
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Card>
                <EmptyState icon={Users} title={t('empty.title')}>
                    {t('empty.help')}
                </EmptyState>
            </Card>
        </Page>
    );
}
