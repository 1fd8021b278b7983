import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import {
    Archive,
    Copy,
    Download,
    EllipsisVertical,
    Play,
    Plus,
    Power,
    Trash2,
    Upload,
    Waypoints,
} from 'lucide-react';
import { useDeferredValue, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { FlowSummary } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { useFormats } from '@/lib/format/format';
import { useSaid } from '@/lib/said/said';
import { Button, IconButton, LinkButton } from '@/ui/button';
import { ask } from '@/ui/ask';
import { SearchField, SelectField } from '@/ui/field';
import { Ago, EmptyState, Page, Status, Toolbar } from '@/ui/layout';
import { Menu, type MenuEntry } from '@/ui/menu';
import { ListCard } from '@/ui/table';
import { say, sayError } from '@/ui/toast';
import {
    changeFlow,
    createFlow,
    deleteFlow,
    download,
    exported,
    getFlow,
    listFlows,
    runFlow,
    type FlowBody,
} from './api';

const LIMIT = 20;

export function FlowsPage() {
    const { t } = useTranslation('flows');
    const [search, setSearch] = useState('');
    const [status, setStatus] = useState('');
    const [page, setPage] = useState(1);
    const editor = useMay('editor');
    const { number } = useFormats();
    const query = { page, limit: LIMIT, search: useDeferredValue(search), status };
    const flows = useQuery({
        queryKey: ['flows', query],
        queryFn: ({ signal }) => listFlows(query, signal),
        placeholderData: keepPreviousData,
    });
    const narrowed = search !== '' || status !== '';
    const add = editor && (
        <LinkButton to="/flows/$flowId" params={{ flowId: 'new' }} variant="primary" icon={Plus}>
            {t('new')}
        </LinkButton>
    );
    const statuses = ['draft', 'active', 'inactive', 'archived'];
    return (
        <Page
            title={t('title')}
            lead={t('lead')}
            actions={
                editor && (
                    <>
                        <ImportButton />
                        {add}
                    </>
                )
            }
        >
            <Toolbar>
                <SearchField
                    label={t('search')}
                    value={search}
                    onChange={(text) => {
                        setSearch(text);
                        setPage(1);
                    }}
                />
                <SelectField
                    label={t('status')}
                    hideLabel
                    value={status}
                    onChange={(value) => {
                        setStatus(value);
                        setPage(1);
                    }}
                    options={[
                        { value: '', label: t('all') },
                        ...statuses.map((value) => ({ value, label: t(`common:status.${value}`) })),
                    ]}
                />
            </Toolbar>
            <ListCard
                label={t('title')}
                query={flows}
                rowKey={(flow) => flow.id}
                onPage={setPage}
                empty={
                    <EmptyState
                        icon={Waypoints}
                        title={t(narrowed ? 'none.title' : 'empty.title')}
                        actions={!narrowed && add}
                    >
                        {t(narrowed ? 'none.help' : 'empty.help')}
                    </EmptyState>
                }
                columns={[
                    {
                        head: t('name'),
                        cell: (flow) => (
                            <>
                                <Link to="/flows/$flowId" params={{ flowId: flow.id }}>
                                    {flow.name}
                                </Link>
                                {flow.description !== null && flow.description !== '' && (
                                    <div className="muted">{flow.description}</div>
                                )}
                            </>
                        ),
                    },
                    { head: t('status'), cell: (flow) => <Status status={flow.status} /> },
                    { head: t('nodes'), end: true, cell: (flow) => number(flow.nodeCount) },
                    { head: t('version'), end: true, cell: (flow) => number(flow.version) },
                    { head: t('changed'), cell: (flow) => <Ago at={flow.updatedAt} /> },
                    {
                        head: t('actions'),
                        hideHead: true,
                        end: true,
                        cell: (flow) => <FlowActions flow={flow} />,
                    },
                ]}
            />
        </Page>
    );
}

function FlowActions({ flow }: { flow: FlowSummary }) {
    const { t } = useTranslation('flows');
    const queries = useQueryClient();
    const navigate = useNavigate();
    const editor = useMay('editor');
    const operator = useMay('operator');
    const { name } = flow;
    const act = useMutation({
        mutationFn: (work: () => Promise<void>) => work(),
        onError: (error) => {
            sayError(error);
        },
        onSettled: () => queries.invalidateQueries({ queryKey: ['flows'] }),
    });
    const run = async (): Promise<void> => {
        const { executionId } = await runFlow(flow.id);
        say(t('started', { name }), {
            label: t('look'),
            onSelect: () => void navigate({ to: '/executions/$executionId', params: { executionId } }),
        });
    };
    const become = async (status: string): Promise<void> => {
        await changeFlow(flow.id, { status });
        say(
            status === 'active'
                ? t('nowActive', { name })
                : t('nowOther', { name, status: t(`common:status.${status}`) }),
        );
    };
    const duplicate = async (): Promise<void> => {
        const copy = await createFlow({
            ...exported(await getFlow(flow.id)),
            name: t('copyOf', { name }).slice(0, 100),
        });
        say(t('duplicated', { name: copy.name }));
    };
    const save = async (): Promise<void> => {
        download(`${name}.json`, JSON.stringify(exported(await getFlow(flow.id)), null, 2) + '\n');
    };
    const entries: MenuEntry[] = [
        ...(operator
            ? [
                  {
                      label: t('run'),
                      icon: Play,
                      onSelect: () => {
                          act.mutate(run);
                      },
                  },
              ]
            : []),
        {
            label: t('export'),
            icon: Download,
            onSelect: () => {
                act.mutate(save);
            },
        },
        ...(editor
            ? [
                  {
                      label: t(flow.status === 'active' ? 'deactivate' : 'activate'),
                      icon: Power,
                      onSelect: () => {
                          act.mutate(() => become(flow.status === 'active' ? 'inactive' : 'active'));
                      },
                  },
                  {
                      label: t('duplicate'),
                      icon: Copy,
                      onSelect: () => {
                          act.mutate(duplicate);
                      },
                  },
                  {
                      label: t('archive'),
                      icon: Archive,
                      disabled: flow.status === 'archived',
                      onSelect: () => {
                          act.mutate(() => become('archived'));
                      },
                  },
                  'separator' as const,
                  {
                      label: t('delete'),
                      icon: Trash2,
                      danger: true,
                      onSelect: () => {
                          ask({
                              title: t('deleteTitle', { name }),
                              text: t('deleteText'),
                              confirm: t('delete'),
                              danger: true,
                              onConfirm: () =>
                                  act
                                      .mutateAsync(async () => {
                                          await deleteFlow(flow.id);
                                          say(t('deleted', { name }));
                                      })
                                      .catch(() => undefined),
                          });
                      },
                  },
              ]
            : []),
    ];
    return (
        <Menu
            entries={entries}
            trigger={
                <IconButton
                    small
                    icon={EllipsisVertical}
                    label={t('actionsOf', { name })}
                    busy={act.isPending}
                />
            }
        />
    );
}

function ImportButton() {
    const { t } = useTranslation('flows');
    const said = useSaid();
    const queries = useQueryClient();
    const file = useRef<HTMLInputElement>(null);
    const read = async (files: FileList): Promise<void> => {
        for (const one of files) {
            try {
                const flow = await createFlow(JSON.parse(await one.text()) as FlowBody);
                say(t('imported', { name: flow.name }));
            } catch (error) {
                sayError(
                    t('importBad', {
                        file: one.name,
                        problem: said(error instanceof Error ? error.message : String(error)),
                    }),
                );
            }
        }
        await queries.invalidateQueries({ queryKey: ['flows'] });
    };
    return (
        <>
            <input
                ref={file}
                type="file"
                accept=".json,application/json"
                multiple
                hidden
                aria-label={t('import')}
                onChange={(event) => {
                    if (event.target.files !== null)
                        void read(event.target.files).finally(() => {
                            event.target.value = '';
                        });
                }}
            />
            <Button icon={Upload} onClick={() => file.current?.click()}>
                {t('import')}
            </Button>
        </>
    );
}
