/* The processes that run flows: what they do, what they use, and letting one go; how work is shared among them. */
import { useQuery } from '@tanstack/react-query';
import { LogOut, Server } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import { useMay } from '@/lib/auth/session';
import { useFormats } from '@/lib/format/format';
import { useAct } from '@/ui/act';
import { Button } from '@/ui/button';
import { ask } from '@/ui/ask';
import { Ago, EmptyState, Page, Status } from '@/ui/layout';
import { ListCard } from '@/ui/table';
import { say } from '@/ui/toast';
import { WorkSettings } from './settings';
import css from './meter.module.css';

interface Worker {
    id: string;
    host?: string;
    status: string;
    capacity: number;
    active: number;
    full?: boolean;
    memoryBytes?: number;
    cpuCores?: number;
    lastHeartbeat: string;
    version?: string;
}

export function WorkersPage() {
    const { t } = useTranslation('workers');
    const { number, bytes, percent } = useFormats();
    const operator = useMay('operator');
    const act = useAct('workers');
    const workers = useQuery({
        queryKey: ['workers'],
        queryFn: ({ signal }) => call<Worker[]>('GET', '/api/v1/workers', undefined, signal),
        refetchInterval: 3000,
    });
    const drain = ({ id }: Worker): void => {
        ask({
            title: t('drainTitle', { id }),
            text: t('drainText'),
            confirm: t('drain'),
            onConfirm: () =>
                act.run(async () => {
                    await call('POST', `/api/v1/workers/${encodeURIComponent(id)}/drain`);
                    say(t('drained', { id }));
                }),
        });
    };
    return (
        <Page title={t('title')} lead={t('lead')}>
            <WorkSettings />
            <ListCard
                label={t('title')}
                query={workers}
                rowKey={(worker) => worker.id}
                empty={
                    <EmptyState icon={Server} title={t('empty.title')}>
                        {t('empty.help')}
                    </EmptyState>
                }
                columns={[
                    {
                        head: t('worker'),
                        cell: (worker) => (
                            <>
                                <code>{worker.id}</code>
                                {worker.host !== undefined && <div className="muted">{worker.host}</div>}
                            </>
                        ),
                    },
                    { head: t('state'), cell: (worker) => <Status status={worker.status} /> },
                    {
                        head: t('active'),
                        end: true,
                        cell: (worker) => (
                            <>
                                {t('of', {
                                    active: number(worker.active),
                                    capacity: number(worker.capacity),
                                })}
                                <Meter
                                    label={t('load')}
                                    share={worker.capacity > 0 ? worker.active / worker.capacity : 0}
                                    text={percent}
                                />
                            </>
                        ),
                    },
                    {
                        head: t('memory'),
                        end: true,
                        cell: (worker) => (
                            <>
                                {worker.memoryBytes === undefined ? '–' : bytes(worker.memoryBytes)}
                                {worker.full === true && <div className="muted">{t('full')}</div>}
                            </>
                        ),
                    },
                    {
                        head: t('cores'),
                        end: true,
                        cell: (worker) => (worker.cpuCores === undefined ? '–' : number(worker.cpuCores, 2)),
                    },
                    { head: t('version'), cell: (worker) => worker.version ?? '–' },
                    { head: t('heard'), cell: (worker) => <Ago at={worker.lastHeartbeat} /> },
                    operator && {
                        head: t('actions'),
                        hideHead: true,
                        end: true,
                        cell: (worker) =>
                            (worker.status === 'online' || worker.status === 'unhealthy') && (
                                <Button
                                    small
                                    icon={LogOut}
                                    busy={act.busy}
                                    aria-label={t('drainOf', { id: worker.id })}
                                    onClick={() => {
                                        drain(worker);
                                    }}
                                >
                                    {t('drain')}
                                </Button>
                            ),
                    },
                ]}
            />
        </Page>
    );
}

function Meter({ label, share, text }: { label: string; share: number; text: (percent: number) => string }) {
    const whole = Math.min(1, Math.max(0, share));
    return (
        <div
            className={css.meter}
            role="meter"
            aria-label={label}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={Math.round(whole * 100)}
            aria-valuetext={text(whole * 100)}
        >
            <i style={{ width: `${String(whole * 100)}%` }} data-tone={whole > 0.9 ? 'warn' : undefined} />
        </div>
    );
}
