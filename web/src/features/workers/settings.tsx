/* How work is shared among the workers, and how many of them there are: changed while running. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import { useMay } from '@/lib/auth/session';
import { useFormats } from '@/lib/format/format';
import { useAct } from '@/ui/act';
import { Button } from '@/ui/button';
import { SelectField, Switch, TextField } from '@/ui/field';
import { Card, Failure } from '@/ui/layout';
import { say } from '@/ui/toast';
import css from './workers.module.css';

export interface Scaling {
    enabled: boolean;
    min: number;
    max: number;
    /** What starts and stops them; the rest is what the leading orchestrator decided last. */
    driver?: string;
    target?: number | null;
    workers?: number | null;
    reason?: string | null;
    decidedAt?: string | null;
    error?: string | null;
}
interface Settings {
    loadBalanceStrategy: string;
    autoScaling?: Scaling;
}
const strategies = ['round_robin', 'least_busy', 'weighted'] as const;

export function WorkSettings() {
    const { t } = useTranslation('workers');
    const admin = useMay('admin');
    const act = useAct('settings');
    const settings = useQuery({
        queryKey: ['settings'],
        queryFn: ({ signal }) => call<Settings>('GET', '/api/v1/settings', undefined, signal),
    });
    const strategy = settings.data?.loadBalanceStrategy ?? 'round_robin';
    const scaling = settings.data?.autoScaling;
    return (
        <div className={css.settings}>
            <Card title={t('sharing')}>
                <SelectField
                    label={t('strategy')}
                    help={t(`strategies.${strategy}.help`)}
                    value={strategy}
                    disabled={!admin || act.busy || !settings.isSuccess}
                    onChange={(loadBalanceStrategy) =>
                        void act.run(async () => {
                            await call('PUT', '/api/v1/settings', { loadBalanceStrategy });
                            say(t('changed'));
                        })
                    }
                    options={strategies.map((value) => ({ value, label: t(`strategies.${value}.name`) }))}
                />
            </Card>
            {scaling !== undefined && (
                <ScalingCard key={`${String(scaling.min)} ${String(scaling.max)}`} scaling={scaling} />
            )}
        </div>
    );
}

function ScalingCard({ scaling }: { scaling: Scaling }) {
    const { t } = useTranslation('workers');
    const { dateTime, number } = useFormats();
    const admin = useMay('admin');
    const act = useAct('settings');
    const [min, setMin] = useState(String(scaling.min));
    const [max, setMax] = useState(String(scaling.max));
    const dirty = Number(min) !== scaling.min || Number(max) !== scaling.max;
    const upsideDown = Number(min) > Number(max);
    const save = (autoScaling: Partial<Scaling>): void =>
        void act.run(async () => {
            await call('PUT', '/api/v1/settings', { autoScaling });
            say(t('scaling.changed'));
        });
    return (
        <Card title={t('scaling.title')}>
            <Switch
                label={t('scaling.enabled')}
                help={t('scaling.help')}
                checked={scaling.enabled}
                disabled={!admin || act.busy}
                onChange={(enabled) => {
                    save({ enabled });
                }}
            />
            <div className={css.bounds}>
                <TextField
                    label={t('scaling.min')}
                    type="number"
                    min={0}
                    max={10000}
                    value={min}
                    disabled={!admin}
                    problem={upsideDown ? t('scaling.upsideDown') : null}
                    onChange={setMin}
                />
                <TextField
                    label={t('scaling.max')}
                    type="number"
                    min={1}
                    max={10000}
                    value={max}
                    disabled={!admin}
                    onChange={setMax}
                />
                {admin && (
                    <Button
                        disabled={!dirty || upsideDown}
                        busy={act.busy}
                        onClick={() => {
                            save({ min: Number(min), max: Number(max) });
                        }}
                    >
                        {t('common:actions.save')}
                    </Button>
                )}
            </div>
            {scaling.driver === 'none' && <p className="muted">{t('scaling.noDriver')}</p>}
            {typeof scaling.target === 'number' && (
                <p className="muted">
                    {t('scaling.decided', {
                        target: number(scaling.target),
                        at: dateTime(scaling.decidedAt),
                    })}
                    {typeof scaling.reason === 'string' &&
                        ` ${t(`scaling.reasons.${scaling.reason}` as never, { defaultValue: scaling.reason })}`}
                </p>
            )}
            {typeof scaling.error === 'string' && <Failure tone="warn" error={scaling.error} />}
        </Card>
    );
}
