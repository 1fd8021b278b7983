/* How what the service stands on is doing, and where the rest is set. */
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import { useFormats } from '@/lib/format/format';
import { Card, ErrorState, Loading, Notice, Page, Status } from '@/ui/layout';
import { Table } from '@/ui/table';

interface Health {
    status: string;
    version: string;
    uptime: number;
    dependencies: Record<string, string>;
    work: { moving: boolean; waiting: number; running: number; workers: number };
}

export function SettingsPage() {
    const { t } = useTranslation('settings');
    const { duration, number } = useFormats();
    const health = useQuery({
        queryKey: ['health'],
        queryFn: ({ signal }) => call<Health>('GET', '/api/v1/health', undefined, signal),
        refetchInterval: 5000,
    });
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Card title={t('health')} flush>
                {health.isPending && <Loading />}
                {health.isError && <ErrorState error={health.error} onRetry={() => void health.refetch()} />}
                {health.isSuccess && (
                    <>
                        {!health.data.work.moving && <Notice>{t('stuck')}</Notice>}
                        <Table
                            label={t('parts.label')}
                            rowKey={(part) => part.name}
                            rows={[
                                {
                                    name: t('service'),
                                    status: health.data.status,
                                    more: t('running', {
                                        version: health.data.version,
                                        time: duration(health.data.uptime),
                                    }),
                                },
                                ...Object.entries(health.data.dependencies).map(([name, status]) => ({
                                    name: t(`parts.${name}`, { defaultValue: name }),
                                    status,
                                    more: '',
                                })),
                                {
                                    name: t('work'),
                                    status: health.data.work.moving ? 'healthy' : 'unhealthy',
                                    more: t('workNow', {
                                        waiting: number(health.data.work.waiting),
                                        running: number(health.data.work.running),
                                        workers: number(health.data.work.workers),
                                    }),
                                },
                            ]}
                            columns={[
                                { head: t('part'), cell: (part) => part.name },
                                { head: t('state'), cell: (part) => <Status status={part.status} /> },
                                { head: t('more'), cell: (part) => part.more },
                            ]}
                        />
                    </>
                )}
            </Card>
            <Notice tone="info">{t('variables')}</Notice>
        </Page>
    );
}
