/* Two executions side by side: where they part. */
import { useQueries } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { ExecutionDetail, NodeExecution } from '@/lib/api/models';
import { useFormats } from '@/lib/format/format';
import { DataView } from '@/ui/data-view';
import { Card, ErrorState, Loading, Page, Status, TableScroll, tableClass } from '@/ui/layout';
import { getExecution } from './api';
import css from './execution.module.css';

export interface Row {
    nodeId: string;
    a: NodeExecution | undefined;
    b: NodeExecution | undefined;
    differs: boolean;
}
const told = (node: NodeExecution | undefined): string =>
    JSON.stringify(node === undefined ? null : [node.status, node.errorMessage, node.output]);

/** By node, in the order of the first, then what only the second has. Durations differ always and do not count. */
export function compared(a: ExecutionDetail, b: ExecutionDetail): Row[] {
    const ids = [...new Set([...a.nodeExecutions, ...b.nodeExecutions].map((node) => node.nodeId))];
    return ids.map((nodeId) => {
        const find = (of: ExecutionDetail): NodeExecution | undefined =>
            of.nodeExecutions.findLast((node) => node.nodeId === nodeId);
        const pair = { a: find(a), b: find(b) };
        return { nodeId, ...pair, differs: told(pair.a) !== told(pair.b) };
    });
}

export function ComparePage() {
    const { t } = useTranslation('executions');
    const ids = useSearch({ from: '/shell/executions/compare' });
    const [first, second] = useQueries({
        queries: [ids.a, ids.b].map((id) => ({
            queryKey: ['execution', id],
            queryFn: ({ signal }: { signal: AbortSignal }) => getExecution(id, signal),
        })),
    });
    const failed = [first, second].find((one) => one?.isError);
    return (
        <Page
            title={t('compare.title')}
            crumb={<Link to="/executions">{t('title')}</Link>}
            lead={t('compare.lead')}
        >
            {failed !== undefined ? (
                <Card>
                    <ErrorState error={failed.error} onRetry={() => void failed.refetch()} />
                </Card>
            ) : first?.data !== undefined && second?.data !== undefined ? (
                <Comparison a={first.data} b={second.data} />
            ) : (
                <Card>
                    <Loading />
                </Card>
            )}
        </Page>
    );
}

function Comparison({ a, b }: { a: ExecutionDetail; b: ExecutionDetail }) {
    const { t } = useTranslation('executions');
    const { duration } = useFormats();
    const rows = compared(a, b);
    const [chosen, setChosen] = useState<string | null>(null);
    const row = rows.find((one) => one.nodeId === chosen) ?? rows.find((one) => one.differs) ?? rows[0];
    return (
        <>
            <Card flush>
                <TableScroll label={t('compare.title')}>
                    <table className={tableClass}>
                        <thead>
                            <tr>
                                <th scope="col">{t('node')}</th>
                                {[a, b].map((one) => (
                                    <th scope="col" key={one.id} colSpan={2}>
                                        <Link to="/executions/$executionId" params={{ executionId: one.id }}>
                                            <code>…{one.id.slice(-8)}</code>
                                        </Link>{' '}
                                        <Status status={one.status} />
                                    </th>
                                ))}
                                <th scope="col">{t('compare.output')}</th>
                            </tr>
                        </thead>
                        <tbody>
                            {rows.map((one) => (
                                <tr key={one.nodeId} className={one.differs ? css.differs : undefined}>
                                    <td>
                                        <button
                                            type="button"
                                            className="link"
                                            onClick={() => {
                                                setChosen(one.nodeId);
                                            }}
                                        >
                                            {one.nodeId}
                                        </button>
                                    </td>
                                    {[one.a, one.b].map((node, index) => [
                                        <td key={`${String(index)} status`}>
                                            {node === undefined ? (
                                                t('compare.missing')
                                            ) : (
                                                <Status status={node.status} />
                                            )}
                                        </td>,
                                        <td key={`${String(index)} duration`} className="num">
                                            {duration(node?.duration)}
                                        </td>,
                                    ])}
                                    <td>{t(one.differs ? 'compare.differs' : 'compare.same')}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </TableScroll>
            </Card>
            {row !== undefined && (
                <div className={css.split}>
                    {[row.a, row.b].map((node, index) => (
                        <Card key={index} title={`${row.nodeId} …${(index === 0 ? a : b).id.slice(-8)}`}>
                            <DataView
                                label={`${t('output')} …${(index === 0 ? a : b).id.slice(-8)}`}
                                value={node?.errorMessage ?? node?.output}
                            />
                        </Card>
                    ))}
                </div>
            )}
        </>
    );
}
