/* One execution, as it happens and afterwards: what came of it, of each node, and what it said. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { Pause, Play, RefreshCw, RotateCcw, Square, StepForward, Trash2 } from 'lucide-react';
import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNodeTexts } from '@/features/editor/catalog-texts';
import { getFlow } from '@/features/flows/api';
import { isFinal, type ExecutionDetail, type NodeExecution } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { useFormats } from '@/lib/format/format';
import { useExecutionFeed } from '@/lib/live/hooks';
import { Said } from '@/lib/said/said';
import { Button } from '@/ui/button';
import { CopyButton, DataView } from '@/ui/data-view';
import { ask } from '@/ui/ask';
import { Ago, Card, ErrorState, Failure, Loading, Page, Status, TableScroll, tableClass } from '@/ui/layout';
import { Tabs } from '@/ui/tabs';
import { say, sayError } from '@/ui/toast';
import { control, getExecution, remove, retry, type Control } from './api';
import css from './execution.module.css';
import { Logs } from './logs';
import { RerunDialog } from './rerun-dialog';
import { Waits } from './waits';

const AGAIN_MS = 300;

export function ExecutionPage() {
    const { t } = useTranslation('executions');
    const { executionId } = useParams({ from: '/shell/executions/$executionId' });
    const queries = useQueryClient();
    const execution = useQuery({
        queryKey: ['execution', executionId],
        queryFn: ({ signal }) => getExecution(executionId, signal),
        // The feed says when to ask; this is for what it missed.
        refetchInterval: (query) =>
            query.state.data !== undefined && isFinal(query.state.data.status) ? false : 5000,
    });
    const flow = useQuery({
        queryKey: ['flow', execution.data?.flowId],
        queryFn: ({ signal }) => getFlow(execution.data?.flowId ?? '', signal),
        enabled: execution.data !== undefined,
    });
    const again = useRef<number | undefined>(undefined);
    useExecutionFeed(executionId, () => {
        again.current ??= window.setTimeout(() => {
            again.current = undefined;
            void queries.invalidateQueries({ queryKey: ['execution', executionId] });
        }, AGAIN_MS);
    });
    return (
        <Page
            title={flow.data?.name ?? t('execution')}
            crumb={<Link to="/executions">{t('title')}</Link>}
            lead={
                <>
                    <code>{executionId}</code> <CopyButton text={executionId} label={t('copyId')} />
                </>
            }
            actions={execution.isSuccess && <Actions execution={execution.data} />}
        >
            {execution.isPending && (
                <Card>
                    <Loading />
                </Card>
            )}
            {execution.isError && (
                <Card>
                    <ErrorState error={execution.error} onRetry={() => void execution.refetch()} />
                </Card>
            )}
            {execution.isSuccess && (
                <>
                    <Facts execution={execution.data} />
                    <Waits execution={execution.data} />
                    {execution.data.errorMessage !== null && <Failure error={execution.data.errorMessage} />}
                    <Parts execution={execution.data} />
                </>
            )}
        </Page>
    );
}

function Actions({ execution }: { execution: ExecutionDetail }) {
    const { t } = useTranslation('executions');
    const queries = useQueryClient();
    const navigate = useNavigate();
    const operator = useMay('operator');
    const [again, setAgain] = useState(false);
    const act = useMutation({
        mutationFn: (work: () => Promise<void>) => work(),
        onError: (error) => {
            sayError(error);
        },
        onSettled: () => queries.invalidateQueries({ queryKey: ['execution', execution.id] }),
    });
    if (!operator) return null;
    const { id, status } = execution;
    const steer = (verb: Control): void => {
        act.mutate(async () => {
            await control(id, verb);
        });
    };
    const repeat = (from: 'failed' | 'whole'): void => {
        act.mutate(async () => {
            const { executionId } = await retry(id, from);
            say(t('retried'));
            await navigate({ to: '/executions/$executionId', params: { executionId } });
        });
    };
    return (
        <>
            {(status === 'pending' || status === 'running') && (
                <Button
                    icon={Pause}
                    busy={act.isPending}
                    onClick={() => {
                        steer('pause');
                    }}
                >
                    {t('pause')}
                </Button>
            )}
            {status === 'paused' && (
                <Button
                    icon={Play}
                    variant="primary"
                    busy={act.isPending}
                    onClick={() => {
                        steer('resume');
                    }}
                >
                    {t('resume')}
                </Button>
            )}
            {!isFinal(status) && (
                <Button
                    icon={Square}
                    busy={act.isPending}
                    onClick={() => {
                        ask({
                            title: t('cancelTitle'),
                            text: t('cancelText'),
                            confirm: t('cancel'),
                            danger: true,
                            onConfirm: () => {
                                steer('cancel');
                            },
                        });
                    }}
                >
                    {t('cancel')}
                </Button>
            )}
            {status === 'failed' && (
                <>
                    <Button
                        icon={StepForward}
                        variant="primary"
                        busy={act.isPending}
                        onClick={() => {
                            repeat('failed');
                        }}
                    >
                        {t('retryFailed')}
                    </Button>
                    <Button
                        icon={RotateCcw}
                        busy={act.isPending}
                        onClick={() => {
                            repeat('whole');
                        }}
                    >
                        {t('retryWhole')}
                    </Button>
                </>
            )}
            <Button
                icon={RefreshCw}
                onClick={() => {
                    setAgain(true);
                }}
            >
                {t('rerun.action')}
            </Button>
            {again && (
                <RerunDialog
                    execution={execution}
                    onClose={() => {
                        setAgain(false);
                    }}
                />
            )}
            {isFinal(status) && (
                <Button
                    icon={Trash2}
                    variant="ghost"
                    busy={act.isPending}
                    onClick={() => {
                        ask({
                            title: t('deleteTitle'),
                            text: t('deleteText'),
                            confirm: t('common:actions.delete'),
                            danger: true,
                            onConfirm: async () => {
                                try {
                                    await remove(id);
                                    await navigate({ to: '/executions' });
                                } catch (error) {
                                    sayError(error);
                                }
                            },
                        });
                    }}
                >
                    {t('common:actions.delete')}
                </Button>
            )}
        </>
    );
}

function Facts({ execution }: { execution: ExecutionDetail }) {
    const { t } = useTranslation('executions');
    const { dateTime, duration, number } = useFormats();
    const waits = !isFinal(execution.status) && execution.waitingUntil !== null;
    return (
        <Card>
            <dl className={css.facts}>
                <div>
                    <dt>{t('status')}</dt>
                    <dd>
                        <Status
                            status={waits && execution.status !== 'paused' ? 'waiting' : execution.status}
                        />
                    </dd>
                </div>
                {waits && (
                    <div>
                        <dt>{t('waitsUntil')}</dt>
                        <dd>{dateTime(execution.waitingUntil)}</dd>
                    </div>
                )}
                <div>
                    <dt>{t('flow')}</dt>
                    <dd>
                        <Link to="/flows/$flowId" params={{ flowId: execution.flowId }}>
                            {t('versionOf', { version: number(execution.flowVersion) })}
                        </Link>
                    </dd>
                </div>
                <div>
                    <dt>{t('trigger')}</dt>
                    <dd>
                        {t(`triggers.${execution.trigger ?? 'api'}`, {
                            defaultValue: execution.trigger ?? '',
                        })}
                    </dd>
                </div>
                <div>
                    <dt>{t('started')}</dt>
                    <dd>
                        <Ago at={execution.startTime} />
                    </dd>
                </div>
                <div>
                    <dt>{t('duration')}</dt>
                    <dd>{duration(execution.duration)}</dd>
                </div>
                <div>
                    <dt>{t('records')}</dt>
                    <dd>{number(execution.recordsProcessed)}</dd>
                </div>
                {execution.retryCount > 0 && (
                    <div>
                        <dt>{t('retries')}</dt>
                        <dd>{number(execution.retryCount)}</dd>
                    </div>
                )}
                {execution.workerId !== null && (
                    <div>
                        <dt>{t('worker')}</dt>
                        <dd>{execution.workerId}</dd>
                    </div>
                )}
            </dl>
        </Card>
    );
}

function Parts({ execution }: { execution: ExecutionDetail }) {
    const { t } = useTranslation('executions');
    const [tab, setTab] = useState<'nodes' | 'logs' | 'data'>('nodes');
    return (
        <Tabs
            label={t('parts')}
            value={tab}
            onChange={setTab}
            tabs={[
                { value: 'nodes', label: t('nodes'), content: <Nodes execution={execution} /> },
                {
                    value: 'logs',
                    label: t('logs'),
                    content: <Logs executionId={execution.id} live={!isFinal(execution.status)} />,
                },
                {
                    value: 'data',
                    label: t('inputAndResult'),
                    content: (
                        <div className={css.split}>
                            <Card title={t('input')}>
                                <DataView label={t('input')} value={execution.input} />
                            </Card>
                            <Card title={t('result')}>
                                <DataView label={t('result')} value={execution.result} />
                            </Card>
                        </div>
                    ),
                },
            ]}
        />
    );
}

function Nodes({ execution }: { execution: ExecutionDetail }) {
    const { t } = useTranslation('executions');
    const { duration, number } = useFormats();
    const texts = useNodeTexts();
    const nodes = execution.nodeExecutions;
    const [chosen, setChosen] = useState<string | null>(null); // by id: places change while it runs
    const node =
        nodes.find((one) => one.nodeId === chosen) ??
        nodes.find((one) => one.status === 'failed') ??
        nodes[nodes.length - 1];
    if (node === undefined)
        return <p className="muted">{t(isFinal(execution.status) ? 'noNodes' : 'noNodesYet')}</p>;
    return (
        <div className={css.split}>
            <Card title={t('nodes')} flush>
                <ol className={css.nodes}>
                    {nodes.map((one) => (
                        <li key={one.nodeId}>
                            <button
                                type="button"
                                className={css.node}
                                aria-current={one === node}
                                onClick={() => {
                                    setChosen(one.nodeId);
                                }}
                            >
                                <span>{one.nodeId}</span>
                                <Status status={one.status} />
                                <small>{texts.name(one.nodeType, null)}</small>
                                <small className="num">
                                    {duration(one.duration)} ·{' '}
                                    {t('recordCount', {
                                        count: one.recordsProcessed,
                                        number: number(one.recordsProcessed),
                                    })}
                                </small>
                            </button>
                        </li>
                    ))}
                </ol>
            </Card>
            <NodeData key={node.nodeId} node={node} />
        </div>
    );
}

function NodeData({ node }: { node: NodeExecution }) {
    const { t } = useTranslation('executions');
    const { dateTime, duration } = useFormats();
    const [chosen, setTab] = useState<'output' | 'input' | 'attempts' | null>(null);
    const tab = chosen ?? (node.errorMessage === null ? 'output' : 'input'); // what failed is told by what it got
    const attempts = node.attempts ?? [];
    return (
        <Card title={node.nodeId}>
            {node.errorMessage !== null && <Failure error={node.errorMessage} />}
            <Tabs
                label={t('ofNode', { id: node.nodeId })}
                value={tab}
                onChange={setTab}
                tabs={[
                    {
                        value: 'output',
                        label: t('output'),
                        content: <DataView label={t('output')} value={node.output} />,
                    },
                    {
                        value: 'input',
                        label: t('input'),
                        content: <DataView label={t('input')} value={node.input} />,
                    },
                    {
                        value: 'attempts',
                        label: t('attempts', { count: attempts.length }),
                        content: (
                            <TableScroll label={t('attempts', { count: attempts.length })}>
                                <table className={tableClass}>
                                    <thead>
                                        <tr>
                                            <th scope="col">#</th>
                                            <th scope="col">{t('status')}</th>
                                            <th scope="col">{t('started')}</th>
                                            <th scope="col">{t('duration')}</th>
                                            <th scope="col">{t('error')}</th>
                                        </tr>
                                    </thead>
                                    <tbody>
                                        {attempts.map((attempt, index) => (
                                            <tr key={index}>
                                                <td className="num">{attempt.attempt}</td>
                                                <td>
                                                    <Status status={attempt.status} />
                                                </td>
                                                <td>{dateTime(attempt.startTime)}</td>
                                                <td>
                                                    {duration(
                                                        attempt.startTime && attempt.endTime
                                                            ? Date.parse(attempt.endTime) -
                                                                  Date.parse(attempt.startTime)
                                                            : null,
                                                    )}
                                                </td>
                                                <td>
                                                    {attempt.error == null ? (
                                                        '–'
                                                    ) : (
                                                        <Said>{attempt.error}</Said>
                                                    )}
                                                </td>
                                            </tr>
                                        ))}
                                    </tbody>
                                </table>
                            </TableScroll>
                        ),
                    },
                ]}
            />
        </Card>
    );
}
