/* The processes that run flows, and how work is shared among them. */
import { useQuery } from '@tanstack/react-query';
import { Server } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import { useMay } from '@/lib/auth/session';
import { useFormats } from '@/lib/format/format';
import { useAct } from '@/ui/act';
import { SelectField } from '@/ui/field';
import {
    Ago,
    Card,
    EmptyState,
    ErrorState,
    Loading,
    Page,
    Status,
    TableScroll,
    tableClass,
} from '@/ui/layout';
import { say } from '@/ui/toast';

interface Worker {
    id: string;
    status: string;
    capacity: number;
    active: number;
    lastHeartbeat: string;
    version?: string;
}
interface Settings {
    loadBalanceStrategy: string;
}
const strategies = ['round_robin', 'least_busy', 'weighted'] as const;

export function WorkersPage() {
    const { t } = useTranslation('workers');
    const { number, percent } = useFormats();
    const workers = useQuery({
        queryKey: ['workers'],
        queryFn: ({ signal }) => call<Worker[]>('GET', '/api/v1/workers', undefined, signal),
        refetchInterval: 3000,
    });
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Strategy />
            <Card flush>
                {workers.isPending && <Loading />}
                {workers.isError && (
                    <ErrorState error={workers.error} onRetry={() => void workers.refetch()} />
                )}
                {workers.isSuccess && workers.data.length === 0 && (
                    <EmptyState icon={Server} title={t('empty.title')}>
                        {t('empty.help')}
                    </EmptyState>
                )}
                {workers.isSuccess && workers.data.length > 0 && (
                    <TableScroll label={t('title')}>
                        <table className={tableClass}>
                            <thead>
                                <tr>
                                    <th scope="col">{t('worker')}</th>
                                    <th scope="col">{t('state')}</th>
                                    <th scope="col" data-align="end">
                                        {t('active')}
                                    </th>
                                    <th scope="col" data-align="end">
                                        {t('load')}
                                    </th>
                                    <th scope="col">{t('version')}</th>
                                    <th scope="col">{t('heard')}</th>
                                </tr>
                            </thead>
                            <tbody>
                                {workers.data.map((worker) => (
                                    <tr key={worker.id}>
                                        <td>
                                            <code>{worker.id}</code>
                                        </td>
                                        <td>
                                            <Status status={worker.status} />
                                        </td>
                                        <td data-align="end">
                                            {t('of', {
                                                active: number(worker.active),
                                                capacity: number(worker.capacity),
                                            })}
                                        </td>
                                        <td data-align="end">
                                            {percent(
                                                worker.capacity > 0
                                                    ? (worker.active / worker.capacity) * 100
                                                    : 0,
                                            )}
                                        </td>
                                        <td>{worker.version ?? '–'}</td>
                                        <td>
                                            <Ago at={worker.lastHeartbeat} />
                                        </td>
                                    </tr>
                                ))}
                            </tbody>
                        </table>
                    </TableScroll>
                )}
            </Card>
        </Page>
    );
}

function Strategy() {
    const { t } = useTranslation('workers');
    const admin = useMay('admin');
    const act = useAct('settings');
    const settings = useQuery({
        queryKey: ['settings'],
        queryFn: ({ signal }) => call<Settings>('GET', '/api/v1/settings', undefined, signal),
    });
    const strategy = settings.data?.loadBalanceStrategy ?? 'round_robin';
    return (
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
    );
}
