import { SlidersHorizontal } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Card, EmptyState, Page } from '@/ui/layout';

export function SettingsPage() {
    const { t } = useTranslation('settings');
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Card>
                <EmptyState icon={SlidersHorizontal} title={t('empty.title')}>
                    {t('empty.help')}
                </EmptyState>
            </Card>
        </Page>
    );
}
