import { KeyRound } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Card, EmptyState, Page } from '@/ui/layout';

export function VariablesPage() {
    const { t } = useTranslation('variables');
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Card>
                <EmptyState icon={KeyRound} title={t('empty.title')}>
                    {t('empty.help')}
                </EmptyState>
            </Card>
        </Page>
    );
}
