import { useQuery } from '@tanstack/react-query';
import { KeyRound, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import { roles, type Role } from '@/lib/api/models';
import { useFormats } from '@/lib/format/format';
import { useAct } from '@/ui/act';
import { Button, IconButton } from '@/ui/button';
import { CopyButton } from '@/ui/data-view';
import { ask } from '@/ui/ask';
import { Dialog } from '@/ui/dialog';
import { SelectField, TextField } from '@/ui/field';
import { FormDialog } from '@/ui/form-dialog';
import { Ago, EmptyState, Notice, Toolbar } from '@/ui/layout';
import { ListCard } from '@/ui/table';

interface ApiKey {
    id: string;
    name: string;
    prefix: string;
    role: Role;
    username: string;
    createdAt: string;
    expiresAt: string | null;
    lastUsedAt: string | null;
}
const base = '/api/v1/api-keys';
const lives = ['30', '90', '365', ''] as const;

export function ApiKeys() {
    const { t } = useTranslation('access');
    const { dateTime } = useFormats();
    const act = useAct('api-keys');
    const [adding, setAdding] = useState(false);
    const [made, setMade] = useState<string | null>(null);
    const keys = useQuery({
        queryKey: ['api-keys'],
        queryFn: ({ signal }) => call<ApiKey[]>('GET', base, undefined, signal),
    });
    const add = (
        <Button
            variant="primary"
            icon={Plus}
            onClick={() => {
                setAdding(true);
            }}
        >
            {t('newKey')}
        </Button>
    );
    return (
        <>
            <Toolbar>{add}</Toolbar>
            <ListCard
                label={t('keys')}
                query={keys}
                rowKey={(key) => key.id}
                empty={
                    <EmptyState icon={KeyRound} title={t('noKeys.title')}>
                        {t('noKeys.help')}
                    </EmptyState>
                }
                columns={[
                    { head: t('name'), cell: (key) => key.name },
                    { head: t('begins'), cell: (key) => <code>{key.prefix}…</code> },
                    { head: t('role'), cell: (key) => t(`common:roles.${key.role}`) },
                    { head: t('username'), cell: (key) => key.username },
                    {
                        head: t('expires'),
                        cell: (key) => (key.expiresAt === null ? t('never') : dateTime(key.expiresAt)),
                    },
                    { head: t('lastUsed'), cell: (key) => <Ago at={key.lastUsedAt} /> },
                    {
                        head: t('actions'),
                        hideHead: true,
                        end: true,
                        cell: (key) => (
                            <IconButton
                                small
                                icon={Trash2}
                                label={t('deleteKeyOf', { name: key.name })}
                                onClick={() => {
                                    ask({
                                        title: t('deleteTitle', { name: key.name }),
                                        text: t('deleteKey'),
                                        confirm: t('common:actions.delete'),
                                        danger: true,
                                        onConfirm: () => act.run(() => call('DELETE', `${base}/${key.id}`)),
                                    });
                                }}
                            />
                        ),
                    },
                ]}
            />
            {adding && (
                <NewKey
                    onMade={(key) => {
                        setMade(key);
                        void keys.refetch(); // also when the form was closed meanwhile
                    }}
                    onClose={() => {
                        setAdding(false);
                    }}
                />
            )}
            {made !== null && (
                <Dialog
                    open
                    title={t('keyMade')}
                    onClose={() => {
                        setMade(null);
                    }}
                >
                    <Notice tone="warn">{t('keyOnce')}</Notice>
                    <p>
                        <code>{made}</code> <CopyButton text={made} />
                    </p>
                </Dialog>
            )}
        </>
    );
}

function NewKey({ onClose, onMade }: { onClose: () => void; onMade: (key: string) => void }) {
    const { t } = useTranslation('access');
    const [name, setName] = useState('');
    const [role, setRole] = useState<Role>('operator');
    const [days, setDays] = useState<(typeof lives)[number]>('90');
    return (
        <FormDialog
            title={t('newKey')}
            confirm={t('common:actions.create')}
            onClose={onClose}
            save={async () => {
                const expiresAt =
                    days === '' ? null : new Date(Date.now() + Number(days) * 86_400_000).toISOString();
                onMade((await call<{ key: string }>('POST', base, { name, role, expiresAt })).key);
            }}
        >
            {(problem) => (
                <>
                    <TextField
                        label={t('name')}
                        help={t('keyName')}
                        maxLength={100}
                        value={name}
                        problem={problem('name')}
                        onChange={setName}
                    />
                    <SelectField
                        label={t('role')}
                        help={t(`may.${role}`)}
                        value={role}
                        problem={problem('role')}
                        onChange={setRole}
                        options={roles.map((value) => ({ value, label: t(`common:roles.${value}`) }))}
                    />
                    <SelectField
                        label={t('expires')}
                        value={days}
                        problem={problem('expiresAt')}
                        onChange={setDays}
                        options={lives.map((value) => ({
                            value,
                            label: value === '' ? t('never') : t('inDays', { days: value }),
                        }))}
                    />
                </>
            )}
        </FormDialog>
    );
}
