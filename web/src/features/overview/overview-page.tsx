/* How the system does: what is wrong now, figures, charts, what failed last; before the first flow, how to begin. */
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { CircleCheck, Plus, TriangleAlert, Waypoints } from 'lucide-react';
import { useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listExecutions } from '@/features/executions/api';
import { listFlows } from '@/features/flows/api';
import { useMay } from '@/lib/auth/session';
import { useFormats } from '@/lib/format/format';
import { useExecutionsFeed } from '@/lib/live/hooks';
import { Said } from '@/lib/said/said';
import { LinkButton } from '@/ui/button';
import { ChartCard } from '@/ui/chart';
import { Ago, Card, EmptyState, ErrorState, Loading, Page } from '@/ui/layout';
import { ListCard } from '@/ui/table';
import { Segments } from '@/ui/tabs';
import { summaryOf, useTimeline, type Timeline } from './data';
import css from './overview.module.css';
import { useWrong, type Wrong } from './wrong';

const periods = ['5', '15', '60'] as const;
type Period = (typeof periods)[number];

export function OverviewPage() {
    const { t } = useTranslation('overview');
    const [period, setPeriod] = useState<Period>('15');
    const timeline = useTimeline();
    const flows = useQuery({
        queryKey: ['flows', 'names'],
        queryFn: ({ signal }) => listFlows({ page: 1, limit: 100, search: '', status: '' }, signal),
    });
    const none = flows.data?.pagination.total === 0;
    return (
        <Page
            title={t('title')}
            lead={t('lead')}
            actions={
                !none && (
                    <Segments
                        label={t('period')}
                        value={period}
                        onChange={setPeriod}
                        options={periods.map((value) => ({ value, label: t(`periods.${value}`) }))}
                    />
                )
            }
        >
            <WrongNow timeline={timeline.data} />
            {none && <First />}
            {(timeline.isPending || flows.isPending) && <Loading />}
            {timeline.isError && timeline.data === undefined && (
                <ErrorState error={timeline.error} onRetry={() => void timeline.refetch()} />
            )}
            {!none && !flows.isPending && timeline.data !== undefined && (
                <Figures timeline={timeline.data} period={period} />
            )}
            {!none && !flows.isPending && (
                <LastFailures names={new Map(flows.data?.data.map((flow) => [flow.id, flow.name]))} />
            )}
        </Page>
    );
}

/** The way to the first flow. */
function First() {
    const { t } = useTranslation('overview');
    const editor = useMay('editor');
    return (
        <Card>
            <EmptyState
                icon={Waypoints}
                title={t('first.title')}
                actions={
                    editor && (
                        <>
                            <LinkButton
                                to="/flows/$flowId"
                                params={{ flowId: 'new' }}
                                variant="primary"
                                icon={Plus}
                            >
                                {t('first.draw')}
                            </LinkButton>
                            <LinkButton to="/flows">{t('first.import')}</LinkButton>
                        </>
                    )
                }
            >
                {t('first.help')}
            </EmptyState>
            <ol className={css.steps}>
                {(['draw', 'start', 'watch'] as const).map((step) => (
                    <li key={step}>
                        <b>{t(`steps.${step}.title`)}</b>
                        {t(`steps.${step}.help`)}
                    </li>
                ))}
            </ol>
        </Card>
    );
}

function WrongNow({ timeline }: { timeline: Timeline | undefined }) {
    const { t } = useTranslation('overview');
    const { percent, number } = useFormats();
    const { known, wrong } = useWrong(timeline);
    // Its place is kept: nothing moves when it is known.
    if (!known)
        return (
            <p className={css.well} style={{ visibility: 'hidden' }}>
                <CircleCheck size={17} aria-hidden />
            </p>
        );
    const said = ({ what, values: { rate, waiting, count, ...others } }: Wrong): string =>
        t(`wrong.${what}`, {
            ...others,
            ...(rate !== undefined && { rate: percent(Number(rate)) }),
            ...(waiting !== undefined && { waiting: number(Number(waiting)) }),
            ...(count !== undefined && { count: Number(count) }),
            ...(others.name !== undefined && {
                name: t(`parts.${String(others.name)}`, { defaultValue: String(others.name) }),
            }),
            ...(others.status !== undefined && { status: t(`common:status.${String(others.status)}`) }),
        });
    return (
        <section aria-label={t('now')} aria-live="polite">
            {wrong.length === 0 ? (
                <p className={css.well}>
                    <CircleCheck size={17} aria-hidden />
                    {t('well')}
                </p>
            ) : (
                <ul className={css.wrong}>
                    {wrong.map((one) => (
                        <li key={JSON.stringify(one)} data-tone={one.tone}>
                            <TriangleAlert size={16} aria-hidden />
                            <span>{said(one)}</span>
                            <Link to={one.to} search={one.search ?? {}}>
                                {t(`lead_to.${one.what}`)}
                            </Link>
                        </li>
                    ))}
                </ul>
            )}
        </section>
    );
}

function Figures({ timeline, period }: { timeline: Timeline; period: Period }) {
    const { t } = useTranslation('overview');
    const { number, percent, duration } = useFormats();
    const { points, stepMs } = timeline;
    const shown = useMemo(() => points.slice(-(Number(period) * 60_000) / stepMs), [points, period, stepMs]);
    const times = useMemo(() => shown.map((point) => Date.parse(point.at)), [shown]);
    const lines = useMemo(() => {
        const of = (value: (point: (typeof shown)[number]) => number | null) => shown.map(value);
        const rate = (count: number): number => count / (stepMs / 1000);
        return {
            success: of((point) => rate(point.success)),
            failed: of((point) => rate(point.failed)),
            p50: of((point) => point.p50),
            p95: of((point) => point.p95),
            p99: of((point) => point.p99),
            share: of(({ success, failed }) =>
                success + failed === 0 ? null : (success / (success + failed)) * 100,
            ),
            waiting: of((point) => point.waiting),
            running: of((point) => point.running),
            workers: of((point) => point.workers),
        };
    }, [shown, stepMs]);
    const sum = summaryOf(shown, stepMs);
    const now = shown.at(-1);
    const perSecond = (value: number): string =>
        t('perSecond', { number: number(value, value < 10 ? 1 : 0) });
    const tenth = (ms: number): string => duration(ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms));
    const count = (value: number): string => number(value, value < 3 ? 1 : 0);
    return (
        <>
            <dl className={css.figures}>
                <div>
                    <dt>{t('ended')}</dt>
                    <dd>{number(sum.ended)}</dd>
                    <dd>{perSecond(sum.perSecond)}</dd>
                </div>
                <div>
                    <dt>{t('successRate')}</dt>
                    <dd>{sum.successRate === null ? '–' : percent(sum.successRate)}</dd>
                    <dd>{t('ofEnded')}</dd>
                </div>
                <div>
                    <dt>{t('p95')}</dt>
                    <dd>{sum.p95 === null ? '–' : tenth(sum.p95)}</dd>
                    <dd>{t('worst')}</dd>
                </div>
                <div>
                    <dt>{t('waitingNow')}</dt>
                    <dd>{number(now?.waiting ?? 0)}</dd>
                    <dd>{t('runningToo', { number: number(now?.running ?? 0) })}</dd>
                </div>
                <div>
                    <dt>{t('workers')}</dt>
                    <dd>{number(now?.workers ?? 0)}</dd>
                    <dd>
                        <Link to="/workers">{t('look')}</Link>
                    </dd>
                </div>
            </dl>
            <div className={css.charts}>
                <ChartCard
                    title={t('throughput')}
                    times={times}
                    format={perSecond}
                    series={[
                        { label: t('succeeded'), tone: 'success', filled: true, values: lines.success },
                        { label: t('failed'), tone: 'danger', values: lines.failed },
                    ]}
                />
                <ChartCard
                    title={t('durations')}
                    times={times}
                    format={tenth}
                    series={[
                        { label: t('half'), tone: 'accent', values: lines.p50 },
                        { label: t('most'), tone: 'warning', values: lines.p95 },
                        { label: t('nearlyAll'), tone: 'waiting', dashed: true, values: lines.p99 },
                    ]}
                />
                <ChartCard
                    title={t('successRate')}
                    times={times}
                    format={percent}
                    max={100}
                    series={[{ label: t('succeeded'), tone: 'success', filled: true, values: lines.share }]}
                />
                <ChartCard
                    title={t('queue')}
                    times={times}
                    format={count}
                    series={[
                        { label: t('waiting'), tone: 'waiting', filled: true, values: lines.waiting },
                        { label: t('running'), tone: 'running', values: lines.running },
                        { label: t('workersLine'), tone: 'accent', dashed: true, values: lines.workers },
                    ]}
                />
            </div>
        </>
    );
}

const AGAIN_MS = 2000;
function LastFailures({ names }: { names: Map<string, string> }) {
    const { t } = useTranslation('overview');
    const queries = useQueryClient();
    const again = useRef(0);
    const failures = useQuery({
        queryKey: ['executions', 'last-failures'],
        queryFn: ({ signal }) => listExecutions({ page: 1, limit: 5, status: 'failed' }, signal),
        placeholderData: keepPreviousData,
        refetchInterval: 30_000,
    });
    useExecutionsFeed((updates) => {
        if (Date.now() < again.current || !updates.some((update) => update.status === 'failed')) return;
        again.current = Date.now() + AGAIN_MS;
        void queries.invalidateQueries({ queryKey: ['executions', 'last-failures'] });
    });
    return (
        <ListCard
            title={t('failures')}
            actions={
                <Link to="/executions" search={{ status: 'failed' }}>
                    {t('allFailures')}
                </Link>
            }
            label={t('failures')}
            query={failures}
            rowKey={(row) => row.id}
            empty={<p className={css.none}>{t('noFailures')}</p>}
            columns={[
                {
                    head: t('flow'),
                    cell: (row) => (
                        <Link to="/executions/$executionId" params={{ executionId: row.id }}>
                            {names.get(row.flowId) ?? `…${row.flowId.slice(-8)}`}
                        </Link>
                    ),
                },
                {
                    head: t('why'),
                    cell: (row) => (row.errorMessage === null ? '–' : <Said>{row.errorMessage}</Said>),
                },
                { head: t('when'), cell: (row) => <Ago at={row.endTime ?? row.startTime} /> },
            ]}
        />
    );
}
