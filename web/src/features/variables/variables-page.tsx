/* Variables, which all may read, and secrets, which nobody sees again: of all flows, or of one. */
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import {
    EllipsisVertical,
    KeyRound,
    LocateFixed,
    Pencil,
    Plus,
    RefreshCw,
    Trash2,
    Variable as Sign,
} from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listFlows } from '@/features/flows/api';
import { useMay } from '@/lib/auth/session';
import { useAct } from '@/ui/act';
import { Button, IconButton } from '@/ui/button';
import { CopyButton } from '@/ui/data-view';
import { ask } from '@/ui/ask';
import { Dialog } from '@/ui/dialog';
import { SelectField } from '@/ui/field';
import { Ago, EmptyState, ErrorState, Loading, Notice, Page, Toolbar } from '@/ui/layout';
import { Menu, type MenuEntry } from '@/ui/menu';
import { ListCard, type Columns } from '@/ui/table';
import { Tabs } from '@/ui/tabs';
import { say } from '@/ui/toast';
import { deleteOne, examples, listOf, rotate, whereUsed, type Kind, type Secret, type Variable } from './api';
import { ValueDialog, type Edited } from './value-dialog';
import css from './variables.module.css';

export function VariablesPage() {
    const { t } = useTranslation('variables');
    const { flowId = '', kind = 'variables' } = useSearch({ from: '/shell/variables' });
    const navigate = useNavigate({ from: '/variables' });
    const flows = useQuery({
        queryKey: ['flows', 'names'],
        queryFn: ({ signal }) => listFlows({ page: 1, limit: 100, search: '', status: '' }, signal),
    });
    const scope = (
        <SelectField
            label={t('scope')}
            value={flowId}
            onChange={(value) =>
                void navigate({
                    search: (old) => ({ ...old, flowId: value === '' ? undefined : value }),
                    replace: true,
                })
            }
            options={[
                { value: '', label: t('everywhere') },
                ...(flows.data?.data ?? []).map((flow) => ({ value: flow.id, label: flow.name })),
            ]}
        />
    );
    return (
        <Page title={t('title')} lead={t('lead', examples)}>
            <Tabs
                label={t('title')}
                value={kind}
                onChange={(value) =>
                    void navigate({ search: (old) => ({ ...old, kind: value }), replace: true })
                }
                tabs={[
                    {
                        value: 'variables',
                        label: t('variables.title'),
                        content: <Variables key={flowId} flowId={flowId} scope={scope} />,
                    },
                    {
                        value: 'secrets',
                        label: t('secrets.title'),
                        content: <Secrets key={flowId} flowId={flowId} scope={scope} />,
                    },
                ]}
            />
        </Page>
    );
}

interface PartProps {
    flowId: string;
    scope: React.ReactNode;
}

function Variables({ flowId, scope }: PartProps) {
    const { t } = useTranslation('variables');
    const query = useQuery({
        queryKey: ['variables', flowId],
        queryFn: ({ signal }) => listOf<Variable>('variables', flowId, signal),
    });
    return (
        <Values
            kind="variables"
            flowId={flowId}
            scope={scope}
            query={query}
            icon={Sign}
            columns={[
                {
                    head: t('value'),
                    cell: (one) => <code className={css.value}>{JSON.stringify(one.value)}</code>,
                },
            ]}
            editedOf={(one) => one}
        />
    );
}

function Secrets({ flowId, scope }: PartProps) {
    const { t } = useTranslation('variables');
    const admin = useMay('admin');
    const act = useAct('secrets');
    const query = useQuery({
        queryKey: ['secrets', flowId],
        queryFn: ({ signal }) => listOf<Secret>('secrets', flowId, signal),
    });
    const stale = (query.data ?? []).some((secret) => secret.readable && !secret.current);
    const lost = (query.data ?? []).filter((secret) => !secret.readable);
    return (
        <Values
            kind="secrets"
            flowId={flowId}
            scope={scope}
            query={query}
            icon={KeyRound}
            columns={[
                {
                    head: t('state'),
                    cell: (one) =>
                        t(!one.readable ? 'secrets.lost' : one.current ? 'secrets.sealed' : 'secrets.old'),
                },
            ]}
            editedOf={(one) => ({ ...one, value: '' })}
            more={
                admin && (
                    <Button
                        icon={RefreshCw}
                        busy={act.busy}
                        onClick={() =>
                            void act.run(async () => {
                                const { resealed, unreadableCount } = await rotate();
                                say(t('secrets.rotated', { count: resealed }));
                                if (unreadableCount > 0) say(t('secrets.unread', { count: unreadableCount }));
                            })
                        }
                    >
                        {t('secrets.rotate')}
                    </Button>
                )
            }
        >
            {lost.length > 0 && (
                <Notice tone="warn">
                    {t('secrets.lostHelp', { names: lost.map((secret) => secret.name).join(', ') })}
                </Notice>
            )}
            {stale && <Notice tone="info">{t('secrets.oldHelp')}</Notice>}
        </Values>
    );
}

interface Named {
    name: string;
    description: string | null;
    updatedAt: string;
    updatedBy: string | null;
}
function Values<T extends Named>({
    kind,
    flowId,
    scope,
    query,
    icon,
    columns,
    editedOf,
    more,
    children,
}: PartProps & {
    kind: Kind;
    query: UseQueryResult<T[]>;
    icon: typeof Sign;
    columns: Columns<T>;
    editedOf: (one: T) => Edited;
    more?: React.ReactNode;
    children?: React.ReactNode;
}) {
    const { t } = useTranslation('variables');
    const editor = useMay('editor');
    const [edited, setEdited] = useState<Edited | null>(null);
    const [looked, setLooked] = useState<string | null>(null);
    const add = editor && (
        <Button
            variant="primary"
            icon={Plus}
            onClick={() => {
                setEdited({ name: '', value: '', description: null });
            }}
        >
            {t(`${kind}.new`)}
        </Button>
    );
    return (
        <div className={css.part}>
            <Toolbar>
                {scope}
                {add}
                {more}
            </Toolbar>
            {children}
            <ListCard
                label={t(`${kind}.title`)}
                query={query}
                rowKey={(one) => one.name}
                empty={
                    <EmptyState icon={icon} title={t(`${kind}.none`)}>
                        {t(`${kind}.noneHelp`)}
                    </EmptyState>
                }
                columns={[
                    {
                        head: t('name'),
                        cell: (one) => (
                            <>
                                <code>{one.name}</code>{' '}
                                <CopyButton
                                    text={`{{ ${kind}.${one.name} }}`}
                                    label={t('copyOf', { name: one.name })}
                                />
                                {one.description !== null && <div className="muted">{one.description}</div>}
                            </>
                        ),
                    },
                    ...columns,
                    {
                        head: t('changed'),
                        cell: (one) => (
                            <>
                                <Ago at={one.updatedAt} />
                                {one.updatedBy !== null && <div className="muted">{one.updatedBy}</div>}
                            </>
                        ),
                    },
                    {
                        head: t('actions'),
                        hideHead: true,
                        end: true,
                        cell: (one) => (
                            <Actions
                                kind={kind}
                                flowId={flowId}
                                name={one.name}
                                onEdit={() => {
                                    setEdited(editedOf(one));
                                }}
                                onLook={() => {
                                    setLooked(one.name);
                                }}
                            />
                        ),
                    },
                ]}
            />
            {edited !== null && (
                <ValueDialog
                    kind={kind}
                    flowId={flowId}
                    edited={edited}
                    onClose={() => {
                        setEdited(null);
                        void query.refetch();
                    }}
                />
            )}
            {looked !== null && (
                <Uses
                    kind={kind}
                    flowId={flowId}
                    name={looked}
                    onClose={() => {
                        setLooked(null);
                    }}
                />
            )}
        </div>
    );
}

function Actions({
    kind,
    flowId,
    name,
    onEdit,
    onLook,
}: {
    kind: Kind;
    flowId: string;
    name: string;
    onEdit: () => void;
    onLook: () => void;
}) {
    const { t } = useTranslation('variables');
    const editor = useMay('editor');
    const act = useAct(kind);
    const entries: MenuEntry[] = [{ label: t('used'), icon: LocateFixed, onSelect: onLook }];
    if (editor)
        entries.push({ label: t('otherValue'), icon: Pencil, onSelect: onEdit }, 'separator', {
            label: t('common:actions.delete'),
            icon: Trash2,
            danger: true,
            onSelect: () => {
                ask({
                    title: t('deleteTitle', { name }),
                    text: t('deleteText'),
                    confirm: t('common:actions.delete'),
                    danger: true,
                    onConfirm: () => act.run(() => deleteOne(kind, flowId, name)),
                });
            },
        });
    return (
        <Menu
            entries={entries}
            trigger={
                <IconButton small icon={EllipsisVertical} label={t('actionsOf', { name })} busy={act.busy} />
            }
        />
    );
}

function Uses({
    kind,
    flowId,
    name,
    onClose,
}: {
    kind: Kind;
    flowId: string;
    name: string;
    onClose: () => void;
}) {
    const { t } = useTranslation('variables');
    const uses = useQuery({
        queryKey: ['flows', 'uses', kind, flowId, name],
        queryFn: ({ signal }) => whereUsed(kind, flowId, name, signal),
    });
    return (
        <Dialog open title={t('usedOf', { name })} onClose={onClose}>
            {uses.isPending && <Loading lines={3} />}
            {uses.isError && <ErrorState error={uses.error} onRetry={() => void uses.refetch()} />}
            {uses.isSuccess && uses.data.length === 0 && <p>{t('unused')}</p>}
            {uses.isSuccess && uses.data.length > 0 && (
                <ul className={css.uses}>
                    {uses.data.map((use) => (
                        <li key={use.flowId}>
                            <Link to="/flows/$flowId" params={{ flowId: use.flowId }}>
                                {use.flowName}
                            </Link>{' '}
                            <span className="muted">{use.nodes.join(', ')}</span>
                        </li>
                    ))}
                </ul>
            )}
        </Dialog>
    );
}
