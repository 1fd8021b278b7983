import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import {
    CalendarClock,
    EllipsisVertical,
    History,
    ListRestart,
    Pencil,
    Play,
    Plus,
    Trash2,
} from 'lucide-react';
import { useDeferredValue, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listFlows } from '@/features/flows/api';
import { useMay } from '@/lib/auth/session';
import { useAct } from '@/ui/act';
import { Button, IconButton } from '@/ui/button';
import { ask } from '@/ui/ask';
import { SearchField, SelectField, Switch } from '@/ui/field';
import { Ago, EmptyState, Page, Toolbar } from '@/ui/layout';
import { Menu, type MenuEntry } from '@/ui/menu';
import { ListCard } from '@/ui/table';
import { say } from '@/ui/toast';
import { deleteSchedule, fireSchedule, listSchedules, switchSchedule, type Schedule } from './api';
import { InstantsDialog } from './instants-dialog';
import { ScheduleDialog } from './schedule-dialog';

const LIMIT = 20;

export function SchedulesPage() {
    const { t } = useTranslation('schedules');
    const [typed, setTyped] = useState('');
    const search = useDeferredValue(typed);
    const [enabled, setEnabled] = useState('');
    const [page, setPage] = useState(1);
    const [edited, setEdited] = useState<Schedule | 'new' | null>(null);
    const editor = useMay('editor');
    const act = useAct('schedules');
    const schedules = useQuery({
        queryKey: ['schedules', page, search, enabled],
        queryFn: ({ signal }) => listSchedules({ page, limit: LIMIT, search, enabled }, signal),
        placeholderData: keepPreviousData,
        refetchInterval: 15_000,
    });
    const flows = useQuery({
        queryKey: ['flows', 'names'],
        queryFn: ({ signal }) => listFlows({ page: 1, limit: 100, search: '', status: '' }, signal),
    });
    const names = useMemo(() => new Map(flows.data?.data.map((flow) => [flow.id, flow.name])), [flows.data]);
    const narrowed = search.trim() !== '' || enabled !== '';
    const add = editor && (
        <Button
            variant="primary"
            icon={Plus}
            onClick={() => {
                setEdited('new');
            }}
        >
            {t('new')}
        </Button>
    );
    return (
        <Page title={t('title')} lead={t('lead')} actions={add}>
            <Toolbar>
                <SearchField
                    label={t('search')}
                    value={typed}
                    onChange={(text) => {
                        setTyped(text);
                        setPage(1);
                    }}
                />
                <SelectField
                    label={t('state')}
                    hideLabel
                    value={enabled}
                    onChange={(value) => {
                        setEnabled(value);
                        setPage(1);
                    }}
                    options={[
                        { value: '', label: t('all') },
                        { value: 'true', label: t('on') },
                        { value: 'false', label: t('off') },
                    ]}
                />
            </Toolbar>
            <ListCard
                label={t('title')}
                query={schedules}
                rowKey={(schedule) => schedule.id}
                onPage={setPage}
                empty={
                    <EmptyState
                        icon={CalendarClock}
                        title={t(narrowed ? 'none.title' : 'empty.title')}
                        actions={!narrowed && add}
                    >
                        {t(narrowed ? 'none.help' : 'empty.help')}
                    </EmptyState>
                }
                columns={[
                    { head: t('name'), cell: (schedule) => schedule.name },
                    {
                        head: t('flow'),
                        cell: (schedule) => (
                            <Link to="/flows/$flowId" params={{ flowId: schedule.flowId }}>
                                {names.get(schedule.flowId) ?? `…${schedule.flowId.slice(-8)}`}
                            </Link>
                        ),
                    },
                    {
                        head: t('when.label'),
                        cell: (schedule) => (
                            <>
                                <code>{schedule.cronExpression}</code>
                                <div className="muted">{schedule.timezone}</div>
                            </>
                        ),
                    },
                    {
                        head: t('nextRun'),
                        cell: (schedule) => <Ago at={schedule.enabled ? schedule.nextRun : null} />,
                    },
                    { head: t('lastRun'), cell: (schedule) => <Ago at={schedule.lastRun} /> },
                    {
                        head: t('state'),
                        cell: (schedule) => (
                            <Switch
                                label={t('switch', { name: schedule.name })}
                                hideLabel
                                checked={schedule.enabled}
                                disabled={!editor || act.busy}
                                onChange={(on) => void act.run(() => switchSchedule(schedule.id, on))}
                            />
                        ),
                    },
                    {
                        head: t('actions'),
                        hideHead: true,
                        end: true,
                        cell: (schedule) => (
                            <Actions
                                schedule={schedule}
                                onEdit={() => {
                                    setEdited(schedule);
                                }}
                            />
                        ),
                    },
                ]}
            />
            {edited !== null && (
                <ScheduleDialog
                    schedule={edited === 'new' ? null : edited}
                    onClose={() => {
                        setEdited(null);
                    }}
                    onSaved={(saved) => {
                        setEdited(null);
                        say(t('saved', { name: saved.name }));
                        void schedules.refetch();
                    }}
                />
            )}
        </Page>
    );
}

function Actions({ schedule, onEdit }: { schedule: Schedule; onEdit: () => void }) {
    const { t } = useTranslation('schedules');
    const navigate = useNavigate();
    const act = useAct('schedules');
    const editor = useMay('editor');
    const operator = useMay('operator');
    const { id, name } = schedule;
    const [shown, setShown] = useState<'past' | 'fill' | null>(null);
    const entries: MenuEntry[] = [
        {
            label: t('executions'),
            icon: History,
            onSelect: () => void navigate({ to: '/executions', search: { scheduleId: id } }),
        },
        {
            label: t('instants'),
            icon: CalendarClock,
            onSelect: () => {
                setShown('past');
            },
        },
    ];
    if (operator)
        entries.push({
            label: t('fire'),
            icon: Play,
            onSelect: () =>
                void act.run(async () => {
                    const { executionId } = await fireSchedule(id);
                    say(t('fired', { name }), {
                        label: t('look'),
                        onSelect: () =>
                            void navigate({ to: '/executions/$executionId', params: { executionId } }),
                    });
                }),
        });
    if (editor)
        entries.push(
            {
                label: t('fill.action'),
                icon: ListRestart,
                onSelect: () => {
                    setShown('fill');
                },
            },
            { label: t('common:actions.edit'), icon: Pencil, onSelect: onEdit },
            'separator',
            {
                label: t('common:actions.delete'),
                icon: Trash2,
                danger: true,
                onSelect: () => {
                    ask({
                        title: t('deleteTitle', { name }),
                        text: t('deleteText'),
                        confirm: t('common:actions.delete'),
                        danger: true,
                        onConfirm: () => act.run(() => deleteSchedule(id)),
                    });
                },
            },
        );
    return (
        <>
            <Menu
                entries={entries}
                trigger={
                    <IconButton
                        small
                        icon={EllipsisVertical}
                        label={t('actionsOf', { name })}
                        busy={act.busy}
                    />
                }
            />
            {shown !== null && (
                <InstantsDialog
                    schedule={schedule}
                    part={shown}
                    onClose={() => {
                        setShown(null);
                    }}
                />
            )}
        </>
    );
}
