import { useQuery } from '@tanstack/react-query';
import { EllipsisVertical, KeyRound, Plus, Power, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import { roles, type Role } from '@/lib/api/models';
import { useAct } from '@/ui/act';
import { Button, IconButton } from '@/ui/button';
import { ask } from '@/ui/ask';
import { SelectField, TextField } from '@/ui/field';
import { Ago, Status, Toolbar } from '@/ui/layout';
import { Menu } from '@/ui/menu';
import { ListCard } from '@/ui/table';
import { say } from '@/ui/toast';
import { FormDialog } from '@/ui/form-dialog';

interface User {
    id: string;
    username: string;
    role: Role;
    disabled: boolean;
    sessions: number;
    createdAt: string;
}
const base = '/api/v1/users';

export function Users() {
    const { t } = useTranslation('access');
    const act = useAct('users');
    const [adding, setAdding] = useState(false);
    const [renewed, setRenewed] = useState<User | null>(null);
    const users = useQuery({
        queryKey: ['users'],
        queryFn: ({ signal }) => call<User[]>('GET', base, undefined, signal),
    });
    const change = (user: User, changes: object): void =>
        void act.run(async () => {
            await call('PUT', `${base}/${user.id}`, changes);
            say(t('saved', { name: user.username }));
        });
    return (
        <>
            <Toolbar>
                <Button
                    variant="primary"
                    icon={Plus}
                    onClick={() => {
                        setAdding(true);
                    }}
                >
                    {t('newUser')}
                </Button>
            </Toolbar>
            <ListCard
                label={t('users')}
                query={users}
                rowKey={(user) => user.id}
                columns={[
                    { head: t('username'), cell: (user) => user.username },
                    {
                        head: t('role'),
                        cell: (user) => (
                            <SelectField
                                label={t('roleOf', { name: user.username })}
                                hideLabel
                                value={user.role}
                                disabled={act.busy}
                                onChange={(role) => {
                                    change(user, { role });
                                }}
                                options={roles.map((value) => ({
                                    value,
                                    label: t(`common:roles.${value}`),
                                }))}
                            />
                        ),
                    },
                    {
                        head: t('state'),
                        cell: (user) => <Status status={user.disabled ? 'disabled' : 'enabled'} />,
                    },
                    { head: t('sessions'), end: true, cell: (user) => user.sessions },
                    { head: t('since'), cell: (user) => <Ago at={user.createdAt} /> },
                    {
                        head: t('actions'),
                        hideHead: true,
                        end: true,
                        cell: (user) => (
                            <Menu
                                trigger={
                                    <IconButton
                                        small
                                        icon={EllipsisVertical}
                                        label={t('actionsOf', { name: user.username })}
                                    />
                                }
                                entries={[
                                    {
                                        label: t('newPassword'),
                                        icon: KeyRound,
                                        onSelect: () => {
                                            setRenewed(user);
                                        },
                                    },
                                    {
                                        label: t(user.disabled ? 'letIn' : 'shutOut'),
                                        icon: Power,
                                        onSelect: () => {
                                            change(user, { disabled: !user.disabled });
                                        },
                                    },
                                    'separator',
                                    {
                                        label: t('common:actions.delete'),
                                        icon: Trash2,
                                        danger: true,
                                        onSelect: () => {
                                            ask({
                                                title: t('deleteTitle', {
                                                    name: user.username,
                                                }),
                                                text: t('deleteUser'),
                                                confirm: t('common:actions.delete'),
                                                danger: true,
                                                onConfirm: () =>
                                                    act.run(() => call('DELETE', `${base}/${user.id}`)),
                                            });
                                        },
                                    },
                                ]}
                            />
                        ),
                    },
                ]}
            />
            {adding && (
                <NewUser
                    onClose={() => {
                        setAdding(false);
                        void users.refetch();
                    }}
                />
            )}
            {renewed !== null && (
                <NewPassword
                    user={renewed}
                    onClose={() => {
                        setRenewed(null);
                        void users.refetch();
                    }}
                />
            )}
        </>
    );
}

function NewUser({ onClose }: { onClose: () => void }) {
    const { t } = useTranslation('access');
    const [username, setUsername] = useState('');
    const [password, setPassword] = useState('');
    const [role, setRole] = useState<Role>('viewer');
    return (
        <FormDialog
            title={t('newUser')}
            confirm={t('common:actions.create')}
            onClose={onClose}
            save={async () => {
                await call('POST', base, { username, password, role });
                say(t('saved', { name: username }));
            }}
        >
            {(problem) => (
                <>
                    <TextField
                        label={t('username')}
                        autoComplete="off"
                        value={username}
                        problem={problem('username')}
                        onChange={setUsername}
                    />
                    <TextField
                        label={t('password')}
                        type="password"
                        autoComplete="new-password"
                        help={t('passwordHelp')}
                        value={password}
                        problem={problem('password')}
                        onChange={setPassword}
                    />
                    <SelectField
                        label={t('role')}
                        help={t(`may.${role}`)}
                        value={role}
                        onChange={setRole}
                        options={roles.map((value) => ({ value, label: t(`common:roles.${value}`) }))}
                    />
                </>
            )}
        </FormDialog>
    );
}

function NewPassword({ user, onClose }: { user: User; onClose: () => void }) {
    const { t } = useTranslation('access');
    const [password, setPassword] = useState('');
    return (
        <FormDialog
            title={t('newPasswordOf', { name: user.username })}
            confirm={t('common:actions.save')}
            onClose={onClose}
            save={async () => {
                await call('PUT', `${base}/${user.id}`, { password });
                say(t('saved', { name: user.username }));
            }}
        >
            {(problem) => (
                <TextField
                    label={t('password')}
                    type="password"
                    autoComplete="new-password"
                    help={t('newPasswordHelp')}
                    value={password}
                    problem={problem('password')}
                    onChange={setPassword}
                />
            )}
        </FormDialog>
    );
}
