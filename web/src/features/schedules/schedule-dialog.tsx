/* A schedule, new or changed: when in plain words or as an expression, with the instants that come of it. */
import { useQuery } from '@tanstack/react-query';
import { useDeferredValue, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listFlows } from '@/features/flows/api';
import { ApiError } from '@/lib/api/client';
import { useFormats } from '@/lib/format/format';
import { useSaid } from '@/lib/said/said';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { SelectField, Switch, TextField } from '@/ui/field';
import { Failure } from '@/ui/layout';
import {
    catchUps,
    changeSchedule,
    createSchedule,
    overlaps,
    previewSchedule,
    type Schedule,
    type ScheduleBody,
} from './api';
import { choiceOf, cronOf, steps, usual, type Choice, type Every } from './cron';
import css from './schedules.module.css';

const zones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];
const everies: Every[] = ['minutes', 'hour', 'day', 'weekdays', 'week', 'month', 'custom'];
const numbers = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => ({
        value: String(from + i),
        label: String(from + i).padStart(2, '0'),
    }));

const sentMembers = [
    'flowId',
    'name',
    'cronExpression',
    'timezone',
    'enabled',
    'maxRetries',
    'retryDelay',
    'overlap',
    'catchUp',
    'catchUpWindow',
] as const;

export function ScheduleDialog({
    schedule,
    onClose,
    onSaved,
}: {
    schedule: Schedule | null;
    onClose: () => void;
    onSaved: (schedule: Schedule) => void;
}) {
    const { t } = useTranslation('schedules');
    const [body, setBody] = useState<ScheduleBody>(
        schedule ?? {
            flowId: '',
            name: '',
            cronExpression: cronOf(usual) ?? '',
            timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
            enabled: true,
            maxRetries: 3,
            retryDelay: 300,
            overlap: 'allow',
            catchUp: 'last',
            catchUpWindow: null,
        },
    );
    const said = useSaid();
    const [refused, setRefused] = useState<ApiError | null>(null);
    const [saving, setSaving] = useState(false);
    const [asked, setAsked] = useState(false);
    const missing: Record<string, string | undefined> = {
        name: body.name.trim() === '' ? t('nameNeeded') : undefined,
        flowId: body.flowId === '' ? t('flowNeeded') : undefined,
    };
    const change = (changes: Partial<ScheduleBody>): void => {
        setBody({ ...body, ...changes });
        setRefused(null);
    };
    const flows = useQuery({
        queryKey: ['flows', 'names'],
        queryFn: ({ signal }) => listFlows({ page: 1, limit: 100, search: '', status: '' }, signal),
    });
    const save = async (): Promise<void> => {
        setAsked(true);
        if (Object.values(missing).some((text) => text !== undefined)) return;
        setSaving(true);
        try {
            const sent = Object.fromEntries(
                sentMembers.map((name) => [name, body[name]]),
            ) as unknown as ScheduleBody;
            onSaved(await (schedule === null ? createSchedule(sent) : changeSchedule(schedule.id, sent)));
        } catch (error) {
            setRefused(
                error instanceof ApiError
                    ? error
                    : new ApiError(0, 'INTERNAL', error instanceof Error ? error.message : String(error)),
            );
        } finally {
            setSaving(false);
        }
    };
    const problem = (field: string): string | null =>
        (asked ? missing[field] : undefined) ?? (refused?.field === field ? said(refused.message) : null);
    const shown = [
        'flowId',
        'name',
        'cronExpression',
        'timezone',
        'maxRetries',
        'retryDelay',
        'catchUpWindow',
    ];
    return (
        <Dialog
            open
            wide
            onClose={onClose}
            title={t(schedule === null ? 'new' : 'change')}
            onSubmit={() => void save()}
            footer={
                <>
                    <Button onClick={onClose}>{t('common:actions.cancel')}</Button>
                    <Button variant="primary" type="submit" busy={saving}>
                        {t('common:actions.save')}
                    </Button>
                </>
            }
        >
            <div className={css.form}>
                {refused !== null && !shown.includes(refused.field ?? '') && <Failure error={refused} />}
                <div className={css.row}>
                    <TextField
                        label={t('name')}
                        value={body.name}
                        maxLength={100}
                        problem={problem('name')}
                        onChange={(name) => {
                            change({ name });
                        }}
                    />
                    <SelectField
                        label={t('flow')}
                        value={body.flowId}
                        problem={problem('flowId')}
                        onChange={(flowId) => {
                            change({ flowId });
                        }}
                        options={[
                            ...(body.flowId === '' ? [{ value: '', label: t('chooseFlow') }] : []),
                            ...(flows.data?.data ?? []).map((flow) => ({ value: flow.id, label: flow.name })),
                        ]}
                    />
                </div>
                <When
                    expression={body.cronExpression}
                    problem={problem('cronExpression')}
                    onChange={(cronExpression) => {
                        change({ cronExpression });
                    }}
                />
                <SelectField
                    label={t('zone')}
                    value={body.timezone}
                    problem={problem('timezone')}
                    onChange={(timezone) => {
                        change({ timezone });
                    }}
                    options={(zones.includes(body.timezone) ? zones : [body.timezone, ...zones]).map(
                        (value) => ({
                            value,
                            label: value,
                        }),
                    )}
                />
                <Instants expression={body.cronExpression} zone={body.timezone} />
                <div className={css.row}>
                    <SelectField
                        label={t('overlap')}
                        help={t(`overlaps.${body.overlap}.help`)}
                        value={body.overlap}
                        onChange={(overlap) => {
                            change({ overlap });
                        }}
                        options={overlaps.map((value) => ({ value, label: t(`overlaps.${value}.name`) }))}
                    />
                    <SelectField
                        label={t('catchUp')}
                        help={t(`catchUps.${body.catchUp}.help`)}
                        value={body.catchUp}
                        onChange={(catchUp) => {
                            change({ catchUp });
                        }}
                        options={catchUps.map((value) => ({ value, label: t(`catchUps.${value}.name`) }))}
                    />
                </div>
                {body.catchUp !== 'none' && (
                    <TextField
                        label={t('catchUpWindow')}
                        help={t('catchUpWindowHelp')}
                        type="number"
                        min={1}
                        value={body.catchUpWindow === null ? '' : String(body.catchUpWindow / 60)}
                        problem={problem('catchUpWindow')}
                        onChange={(text) => {
                            change({ catchUpWindow: text === '' ? null : Math.round(Number(text) * 60) });
                        }}
                    />
                )}
                <div className={css.row}>
                    <TextField
                        label={t('maxRetries')}
                        type="number"
                        min={0}
                        max={10}
                        value={String(body.maxRetries)}
                        problem={problem('maxRetries')}
                        onChange={(text) => {
                            change({ maxRetries: Number(text) });
                        }}
                    />
                    <TextField
                        label={t('retryDelay')}
                        help={t('retryHelp')}
                        type="number"
                        min={1}
                        value={String(body.retryDelay)}
                        problem={problem('retryDelay')}
                        onChange={(text) => {
                            change({ retryDelay: Number(text) });
                        }}
                    />
                </div>
                <Switch
                    label={t('enabled')}
                    checked={body.enabled}
                    onChange={(enabled) => {
                        change({ enabled });
                    }}
                />
            </div>
        </Dialog>
    );
}

function When({
    expression,
    problem,
    onChange,
}: {
    expression: string;
    problem: string | null;
    onChange: (expression: string) => void;
}) {
    const { t, i18n } = useTranslation('schedules');
    const [choice, setChoice] = useState<Choice>(() => choiceOf(expression));
    const choose = (changes: Partial<Choice>): void => {
        const next = { ...choice, ...changes };
        setChoice(next);
        onChange(cronOf(next) ?? expression);
    };
    const { every } = choice;
    const weekday = (day: number): string =>
        // 4 January 1970 was a Sunday.
        new Intl.DateTimeFormat(i18n.language, { weekday: 'long', timeZone: 'UTC' }).format(
            new Date(Date.UTC(1970, 0, 4 + day)),
        );
    const pick = (
        name: 'step' | 'minute' | 'hour' | 'weekday' | 'day',
        options: { value: string; label: string }[],
    ) => (
        <SelectField
            label={t(`when.${name === 'hour' || name === 'day' ? `${name}_of` : name}`)}
            value={String(choice[name])}
            onChange={(value) => {
                choose({ [name]: Number(value) });
            }}
            options={options}
        />
    );
    return (
        <div className={css.row}>
            <SelectField
                label={t('when.label')}
                value={every}
                onChange={(next) => {
                    choose({ every: next });
                }}
                options={everies.map((value) => ({ value, label: t(`when.${value}`) }))}
            />
            {every === 'minutes' &&
                pick(
                    'step',
                    steps.map((n) => ({ value: String(n), label: String(n) })),
                )}
            {every === 'week' &&
                pick(
                    'weekday',
                    [1, 2, 3, 4, 5, 6, 0].map((day) => ({ value: String(day), label: weekday(day) })),
                )}
            {every === 'month' && pick('day', numbers(1, 31))}
            {['day', 'weekdays', 'week', 'month'].includes(every) && pick('hour', numbers(0, 23))}
            {['hour', 'day', 'weekdays', 'week', 'month'].includes(every) && pick('minute', numbers(0, 59))}
            <TextField
                label={t('cron')}
                value={expression}
                readOnly={every !== 'custom'}
                spellCheck={false}
                problem={problem}
                {...(every === 'custom' && { help: t('cronHelp') })}
                onChange={onChange}
            />
        </div>
    );
}

function Instants({ expression, zone }: { expression: string; zone: string }) {
    const { t, i18n } = useTranslation('schedules');
    const asked = useDeferredValue(expression.trim());
    const { dateTime } = useFormats();
    const preview = useQuery({
        queryKey: ['schedule-preview', asked, zone],
        queryFn: ({ signal }) => previewSchedule(asked, zone, signal),
        enabled: asked !== '',
        retry: false,
    });
    const there = new Intl.DateTimeFormat(i18n.language, {
        weekday: 'short',
        day: 'numeric',
        month: 'short',
        year: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
        timeZone: zone,
        timeZoneName: 'short',
    });
    if (preview.isError) return <Failure tone="warn" error={preview.error} />;
    return (
        <section aria-label={t('next')} aria-live="polite">
            <h3 className={css.next}>{t('next')}</h3>
            <ol className={css.instants}>
                {preview.data?.nextRuns.map((at) => (
                    <li key={at}>
                        <time dateTime={at} title={dateTime(at)}>
                            {there.format(new Date(at))}
                        </time>
                    </li>
                ))}
            </ol>
        </section>
    );
}
