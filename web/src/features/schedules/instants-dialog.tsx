/* What will become of a schedule's instants, and what became of those that are past; filling a past period. */
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { CalendarClock, CircleStop } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useMay } from '@/lib/auth/session';
import { useFormats } from '@/lib/format/format';
import { useAct } from '@/ui/act';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { TextField } from '@/ui/field';
import { EmptyState, Failure, Notice } from '@/ui/layout';
import { ListCard, Table } from '@/ui/table';
import { Tabs } from '@/ui/tabs';
import { say } from '@/ui/toast';
import {
    backfill,
    cancelBackfill,
    listBackfills,
    listInstants,
    nextInstants,
    type Backfill,
    type Schedule,
} from './api';
import css from './schedules.module.css';

const LIMIT = 10;
type Part = 'past' | 'next' | 'fill';

export function InstantsDialog({
    schedule,
    part,
    onClose,
}: {
    schedule: Schedule;
    part: Part;
    onClose: () => void;
}) {
    const { t } = useTranslation('schedules');
    const editor = useMay('editor');
    const [tab, setTab] = useState<Part>(part);
    return (
        <Dialog open wide title={t('instantsOf', { name: schedule.name })} onClose={onClose}>
            <Tabs
                label={t('instants')}
                value={tab}
                onChange={setTab}
                tabs={[
                    { value: 'past', label: t('past.title'), content: <Past schedule={schedule} /> },
                    { value: 'next', label: t('next'), content: <Next schedule={schedule} /> },
                    ...(editor
                        ? [
                              {
                                  value: 'fill' as const,
                                  label: t('fill.title'),
                                  content: <Fill schedule={schedule} />,
                              },
                          ]
                        : []),
                ]}
            />
        </Dialog>
    );
}

function Past({ schedule }: { schedule: Schedule }) {
    const { t } = useTranslation('schedules');
    const { dateTime } = useFormats();
    const [page, setPage] = useState(1);
    const instants = useQuery({
        queryKey: ['schedules', schedule.id, 'instants', page],
        queryFn: ({ signal }) => listInstants(schedule.id, page, LIMIT, signal),
        placeholderData: keepPreviousData,
    });
    return (
        <ListCard
            label={t('past.title')}
            query={instants}
            rowKey={(one) => `${one.instant} ${one.backfillId ?? ''}`}
            onPage={setPage}
            empty={
                <EmptyState icon={CalendarClock} title={t('past.none')}>
                    {t('past.noneHelp')}
                </EmptyState>
            }
            columns={[
                {
                    head: t('past.instant'),
                    cell: (one) => (
                        <>
                            <time dateTime={one.instant}>{dateTime(one.instant)}</time>
                            {one.count > 1 && (
                                <div className="muted">
                                    {t('past.until', { count: one.count, at: dateTime(one.last) })}
                                </div>
                            )}
                        </>
                    ),
                },
                {
                    head: t('past.outcome'),
                    cell: (one) => (
                        <>
                            {t(`past.outcomes.${one.outcome}`, { defaultValue: one.outcome })}
                            {one.reason !== null && (
                                <div className="muted">
                                    {t(`past.reasons.${one.reason.split(':')[0] ?? ''}`, {
                                        defaultValue: one.reason,
                                    })}
                                </div>
                            )}
                        </>
                    ),
                },
                {
                    head: t('past.execution'),
                    cell: (one) =>
                        one.executionId === null ? (
                            '–'
                        ) : (
                            <Link to="/executions/$executionId" params={{ executionId: one.executionId }}>
                                <code>…{one.executionId.slice(-8)}</code>
                            </Link>
                        ),
                },
            ]}
        />
    );
}

function Next({ schedule }: { schedule: Schedule }) {
    const { t, i18n } = useTranslation('schedules');
    const instants = useQuery({
        queryKey: ['schedules', schedule.id, 'next'],
        queryFn: ({ signal }) => nextInstants(schedule.id, LIMIT, signal),
    });
    const there = new Intl.DateTimeFormat(i18n.language, {
        dateStyle: 'full',
        timeStyle: 'short',
        timeZone: schedule.timezone,
    });
    if (instants.isError) return <Failure tone="warn" error={instants.error} />;
    return (
        <>
            {!schedule.enabled && <Notice tone="info">{t('nextOff')}</Notice>}
            <ol className={css.instants}>
                {instants.data?.map((at) => (
                    <li key={at}>
                        <time dateTime={at}>{there.format(new Date(at))}</time>
                    </li>
                ))}
            </ol>
        </>
    );
}

/** What a field of kind datetime-local holds, of the browser's time zone. */
const local = (ms: number): string =>
    new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

function Fill({ schedule }: { schedule: Schedule }) {
    const { t } = useTranslation('schedules');
    const { dateTime, number } = useFormats();
    const act = useAct('schedules');
    const [from, setFrom] = useState(() => local(Date.now() - 86_400_000));
    const [to, setTo] = useState(() => local(Date.now()));
    const [concurrency, setConcurrency] = useState('1');
    const fills = useQuery({
        queryKey: ['schedules', schedule.id, 'backfills'],
        queryFn: ({ signal }) => listBackfills(schedule.id, signal),
        refetchInterval: (query) =>
            query.state.data?.some((fill) => fill.status === 'running') === true ? 1500 : false,
    });
    const bad = from === '' || to === '' || from >= to;
    const start = (): void =>
        void act.run(async () => {
            await backfill(schedule.id, {
                from: new Date(from).toISOString(),
                to: new Date(Math.min(new Date(to).getTime(), Date.now())).toISOString(),
                concurrency: Number(concurrency),
            });
            say(t('fill.started'));
        });
    return (
        <div className={css.form}>
            <p className="muted">{t('fill.help')}</p>
            <div className={css.row}>
                <TextField label={t('fill.from')} type="datetime-local" value={from} onChange={setFrom} />
                <TextField
                    label={t('fill.to')}
                    type="datetime-local"
                    value={to}
                    problem={bad ? t('fill.bad') : null}
                    onChange={setTo}
                />
                <TextField
                    label={t('fill.concurrency')}
                    type="number"
                    min={1}
                    max={100}
                    value={concurrency}
                    onChange={setConcurrency}
                />
            </div>
            <div>
                <Button variant="primary" disabled={bad} busy={act.busy} onClick={start}>
                    {t('fill.start')}
                </Button>
            </div>
            {fills.data !== undefined && fills.data.length > 0 && (
                <Table
                    label={t('fill.title')}
                    rows={fills.data}
                    rowKey={(fill) => fill.id}
                    columns={[
                        {
                            head: t('fill.period'),
                            cell: (fill: Backfill) => `${dateTime(fill.from)} – ${dateTime(fill.to)}`,
                        },
                        {
                            head: t('fill.progress'),
                            cell: (fill) =>
                                t('fill.done', {
                                    done: number(fill.fired + fill.skipped),
                                    total: number(fill.total),
                                }),
                        },
                        {
                            head: t('state'),
                            cell: (fill) => t(`fill.states.${fill.status}`, { defaultValue: fill.status }),
                        },
                        {
                            head: t('common:actions.more'),
                            hideHead: true,
                            end: true,
                            cell: (fill) =>
                                fill.status === 'running' && (
                                    <Button
                                        small
                                        icon={CircleStop}
                                        busy={act.busy}
                                        onClick={() =>
                                            void act.run(() => cancelBackfill(schedule.id, fill.id))
                                        }
                                    >
                                        {t('fill.stop')}
                                    </Button>
                                ),
                        },
                    ]}
                />
            )}
        </div>
    );
}
