/* All executions: found, followed live, and acted on together. */
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Activity, ArrowUp, GitCompareArrows, RotateCcw, Square, Trash2 } from 'lucide-react';
import { useDeferredValue, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listFlows } from '@/features/flows/api';
import { executionStatuses, isFinal, type Execution } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { useFormats } from '@/lib/format/format';
import { Said, useSaid } from '@/lib/said/said';
import { Button, LinkButton } from '@/ui/button';
import { ask } from '@/ui/ask';
import { Checkbox, SearchField, SelectField } from '@/ui/field';
import { Ago, EmptyState, Page, Status, Toolbar } from '@/ui/layout';
import { ListCard, type Columns } from '@/ui/table';
import { say, sayError } from '@/ui/toast';
import { listExecutions, together, type Together } from './api';
import { useLiveRows } from './live';
import css from './executions.module.css';
import type { ExecutionSearch } from './route';

const LIMIT = 20;
const periods = { hour: 3_600_000, day: 86_400_000, week: 604_800_000 } as const;

const since = (period: string | undefined): string | undefined =>
    period !== undefined && period in periods
        ? new Date(
              Math.floor((Date.now() - periods[period as keyof typeof periods]) / 60_000) * 60_000,
          ).toISOString()
        : undefined;

export function ExecutionsPage() {
    const { t } = useTranslation('executions');
    const filter = useSearch({ from: '/shell/executions' });
    const navigate = useNavigate({ from: '/executions' });
    const [typed, setTyped] = useState(filter.search ?? '');
    const search = useDeferredValue(typed.trim());
    const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
    const page = filter.page ?? 1;
    const narrow = (changes: Partial<ExecutionSearch>): void => {
        void navigate({
            search: (old: ExecutionSearch) =>
                Object.fromEntries(
                    Object.entries({ ...old, page: undefined, ...changes }).filter(
                        ([, value]) => value !== undefined && value !== '',
                    ),
                ),
            replace: true,
        });
    };
    useEffect(() => {
        if (search !== (filter.search ?? '')) narrow({ search });
        // eslint-disable-next-line react-hooks/exhaustive-deps -- what was typed leads, not the address
    }, [search]);

    const key = useMemo(() => ['executions', filter] as const, [filter]);
    const executions = useQuery({
        queryKey: key,
        queryFn: ({ signal }) =>
            listExecutions(
                {
                    page,
                    limit: LIMIT,
                    search: filter.search,
                    status: filter.status,
                    flowId: filter.flowId,
                    scheduleId: filter.scheduleId,
                    startTimeFrom: since(filter.since),
                },
                signal,
            ),
        placeholderData: keepPreviousData,
    });
    const flows = useQuery({
        queryKey: ['flows', 'names'],
        queryFn: ({ signal }) => listFlows({ page: 1, limit: 100, search: '', status: '' }, signal),
    });
    const names = useMemo(() => new Map(flows.data?.data.map((flow) => [flow.id, flow.name])), [flows.data]);
    const [touched, setTouched] = useState(false);
    const newer = useLiveRows(key, touched || chosen.size > 0);
    const narrowed = Object.keys(filter).some((name) => name !== 'page');
    const rows = executions.data?.data ?? [];
    const columns = useColumns(rows, names, chosen, setChosen);

    return (
        <Page title={t('title')} lead={t('lead')}>
            <Toolbar>
                <SearchField label={t('search')} value={typed} onChange={setTyped} />
                <SelectField
                    label={t('status')}
                    hideLabel
                    value={filter.status ?? ''}
                    onChange={(status) => {
                        narrow({ status });
                    }}
                    options={[
                        { value: '', label: t('anyStatus') },
                        ...executionStatuses
                            .filter((status) => status !== 'waiting')
                            .map((value) => ({ value, label: t(`common:status.${value}`) })),
                    ]}
                />
                <SelectField
                    label={t('flow')}
                    hideLabel
                    value={filter.flowId ?? ''}
                    onChange={(flowId) => {
                        narrow({ flowId });
                    }}
                    options={[
                        { value: '', label: t('anyFlow') },
                        ...(flows.data?.data ?? []).map((flow) => ({ value: flow.id, label: flow.name })),
                    ]}
                />
                <SelectField
                    label={t('since')}
                    hideLabel
                    value={filter.since ?? ''}
                    onChange={(period) => {
                        narrow({ since: period });
                    }}
                    options={[
                        { value: '', label: t('anyTime') },
                        ...Object.keys(periods).map((value) => ({ value, label: t(`periods.${value}`) })),
                    ]}
                />
                {narrowed && (
                    <Button
                        variant="ghost"
                        onClick={() => {
                            setTyped('');
                            void navigate({ search: {}, replace: true });
                        }}
                    >
                        {t('common:actions.clear')}
                    </Button>
                )}
            </Toolbar>
            <Bulk
                chosen={rows.filter((row) => chosen.has(row.id))}
                onDone={() => {
                    setChosen(new Set());
                }}
            />
            {/* Rows that a person points at or stands on stay where they are. */}
            <div
                className={css.held}
                onPointerEnter={() => {
                    setTouched(true);
                }}
                onPointerLeave={() => {
                    setTouched(false);
                }}
            >
                {newer.count > 0 && (
                    <Button small icon={ArrowUp} className={css.newer} onClick={newer.show}>
                        {t('newer', { count: newer.count })}
                    </Button>
                )}
                <ListCard
                    label={t('title')}
                    query={executions}
                    rowKey={(row) => row.id}
                    onPage={(next) => {
                        narrow({ page: next > 1 ? next : undefined });
                    }}
                    empty={
                        <EmptyState icon={Activity} title={t(narrowed ? 'none.title' : 'empty.title')}>
                            {t(narrowed ? 'none.help' : 'empty.help')}
                        </EmptyState>
                    }
                    columns={columns}
                />
            </div>
        </Page>
    );
}

function useColumns(
    rows: Execution[],
    names: Map<string, string>,
    chosen: ReadonlySet<string>,
    onChoose: (chosen: ReadonlySet<string>) => void,
): Columns<Execution> {
    const { t } = useTranslation('executions');
    const { duration, number } = useFormats();
    const operator = useMay('operator');
    const all = rows.every((row) => chosen.has(row.id));
    const some = rows.some((row) => chosen.has(row.id));
    return [
        operator && {
            head: t('chooseAll'),
            control: (
                <Checkbox
                    label={t('chooseAll')}
                    hideLabel
                    checked={all}
                    mixed={some && !all}
                    onChange={(checked) => {
                        onChoose(new Set(checked ? rows.map((row) => row.id) : []));
                    }}
                />
            ),
            cell: (row) => (
                <Checkbox
                    label={t('choose', { id: row.id.slice(-8) })}
                    hideLabel
                    checked={chosen.has(row.id)}
                    onChange={(checked) => {
                        const next = new Set(chosen);
                        if (checked) next.add(row.id);
                        else next.delete(row.id);
                        onChoose(next);
                    }}
                />
            ),
        },
        {
            head: t('execution'),
            cell: (row) => (
                <Link to="/executions/$executionId" params={{ executionId: row.id }}>
                    <code>…{row.id.slice(-8)}</code>
                </Link>
            ),
        },
        {
            head: t('flow'),
            cell: (row) => (
                <>
                    <Link to="/flows/$flowId" params={{ flowId: row.flowId }}>
                        {names.get(row.flowId) ?? `…${row.flowId.slice(-8)}`}
                    </Link>
                    {row.errorMessage !== null && (
                        <div className="muted">
                            <Said>{row.errorMessage}</Said>
                        </div>
                    )}
                </>
            ),
        },
        {
            head: t('status'),
            cell: (row) => (
                <Status
                    status={row.status !== 'paused' && row.waitingUntil !== null ? 'waiting' : row.status}
                />
            ),
        },
        {
            head: t('trigger'),
            cell: (row) => t(`triggers.${row.trigger ?? 'api'}`, { defaultValue: row.trigger ?? '' }),
        },
        { head: t('started'), cell: (row) => <Ago at={row.startTime} /> },
        { head: t('duration'), end: true, cell: (row) => duration(row.duration) },
        { head: t('records'), end: true, cell: (row) => number(row.recordsProcessed) },
    ];
}

/** What may be done with those that are chosen. */
function Bulk({ chosen, onDone }: { chosen: Execution[]; onDone: () => void }) {
    const { t } = useTranslation('executions');
    const said = useSaid();
    const queries = useQueryClient();
    const act = useMutation({
        mutationFn: ({ verb, ids }: { verb: Together; ids: string[] }) => together(verb, ids),
        onSuccess: ({ successCount, failureCount, errors }) => {
            if (successCount > 0) say(t('bulk.done', { count: successCount }));
            if (failureCount > 0)
                sayError(t('bulk.refusedWhy', { count: failureCount, why: said(errors[0]?.error ?? '') }));
            onDone();
        },
        onError: (error) => {
            sayError(error);
        },
        onSettled: () => queries.invalidateQueries({ queryKey: ['executions'] }),
    });
    if (chosen.length === 0) return null;
    const ids = {
        cancel: chosen.filter((row) => !isFinal(row.status)).map((row) => row.id),
        retry: chosen.filter((row) => row.status === 'failed').map((row) => row.id),
        delete: chosen.filter((row) => isFinal(row.status)).map((row) => row.id),
    };
    const icons = { retry: RotateCcw, cancel: Square, delete: Trash2 };
    const run = (verb: Together): Promise<unknown> =>
        act.mutateAsync({ verb, ids: ids[verb] }).catch(() => undefined);
    const asked = (verb: 'cancel' | 'delete'): void => {
        ask({
            title: t(`bulk.${verb}Title`, { count: ids[verb].length }),
            text: t(`${verb}Text`),
            confirm: verb === 'cancel' ? t('cancel') : t('common:actions.delete'),
            danger: true,
            onConfirm: () => run(verb),
        });
    };
    const [first, second] = chosen;
    return (
        <Toolbar>
            <span className="muted" role="status">
                {t('bulk.chosen', { count: chosen.length })}
            </span>
            {chosen.length === 2 && first !== undefined && second !== undefined && (
                <LinkButton
                    small
                    icon={GitCompareArrows}
                    to="/executions/compare"
                    search={{ a: first.id, b: second.id }}
                >
                    {t('compare.action')}
                </LinkButton>
            )}
            {(['retry', 'cancel', 'delete'] as const).map((verb) => (
                <Button
                    key={verb}
                    small
                    icon={icons[verb]}
                    disabled={ids[verb].length === 0}
                    busy={act.isPending}
                    onClick={() => {
                        if (verb === 'retry') void run(verb);
                        else asked(verb);
                    }}
                >
                    {t(`bulk.${verb}`, { count: ids[verb].length })}
                </Button>
            ))}
        </Toolbar>
    );
}
