/* The processes that run flows, and how work is shared among them. */
import { useQuery } from '@tanstack/react-query';
import { Server } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import { useMay } from '@/lib/auth/session';
import { useFormats } from '@/lib/format/format';
import { useAct } from '@/ui/act';
import { SelectField } from '@/ui/field';
import { Ago, Card, EmptyState, Page, Status } from '@/ui/layout';
import { ListCard } from '@/ui/table';
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
                    { head: t('worker'), cell: (worker) => <code>{worker.id}</code> },
                    { head: t('state'), cell: (worker) => <Status status={worker.status} /> },
                    {
                        head: t('active'),
                        end: true,
                        cell: (worker) =>
                            t('of', { active: number(worker.active), capacity: number(worker.capacity) }),
                    },
                    {
                        head: t('load'),
                        end: true,
                        cell: (worker) =>
                            percent(worker.capacity > 0 ? (worker.active / worker.capacity) * 100 : 0),
                    },
                    { head: t('version'), cell: (worker) => worker.version ?? '–' },
                    { head: t('heard'), cell: (worker) => <Ago at={worker.lastHeartbeat} /> },
                ]}
            />
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
