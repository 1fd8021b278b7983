/* Users, API keys, and what was done by whom. */
import { useTranslation } from 'react-i18next';
import { useState } from 'react';
import { useMay, useSession } from '@/lib/auth/session';
import { Notice, Page } from '@/ui/layout';
import { Tabs } from '@/ui/tabs';
import { ApiKeys } from './api-keys';
import { Audit } from './audit';
import { Users } from './users';

export function AccessPage() {
    const { t } = useTranslation('access');
    const admin = useMay('admin');
    const open = useSession((s) => s.state === 'open');
    const [tab, setTab] = useState(admin && !open ? 'users' : 'keys');
    return (
        <Page title={t('title')} lead={t('lead')}>
            {open ? (
                <>
                    <Notice tone="info">{t('open')}</Notice>
                    <Audit />
                </>
            ) : (
                <Tabs
                    label={t('title')}
                    value={tab}
                    onChange={setTab}
                    tabs={[
                        ...(admin ? [{ value: 'users', label: t('users'), content: <Users /> }] : []),
                        { value: 'keys', label: t('keys'), content: <ApiKeys /> },
                        ...(admin ? [{ value: 'audit', label: t('audit'), content: <Audit /> }] : []),
                    ]}
                />
            )}
        </Page>
    );
}
