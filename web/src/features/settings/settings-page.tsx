/* How what the service stands on is doing, and where the rest is set. */
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import { useFormats } from '@/lib/format/format';
import { Card, ErrorState, Loading, Notice, Page, Status, TableScroll, tableClass } from '@/ui/layout';

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
                        <TableScroll label={t('parts.label')}>
                            <table className={tableClass}>
                                <thead>
                                    <tr>
                                        <th scope="col">{t('part')}</th>
                                        <th scope="col">{t('state')}</th>
                                        <th scope="col">{t('more')}</th>
                                    </tr>
                                </thead>
                                <tbody>
                                    <tr>
                                        <td>{t('service')}</td>
                                        <td>
                                            <Status status={health.data.status} />
                                        </td>
                                        <td>
                                            {t('running', {
                                                version: health.data.version,
                                                time: duration(health.data.uptime),
                                            })}
                                        </td>
                                    </tr>
                                    {Object.entries(health.data.dependencies).map(([name, status]) => (
                                        <tr key={name}>
                                            <td>{t(`parts.${name}`, { defaultValue: name })}</td>
                                            <td>
                                                <Status status={status} />
                                            </td>
                                            <td />
                                        </tr>
                                    ))}
                                    <tr>
                                        <td>{t('work')}</td>
                                        <td>
                                            <Status
                                                status={health.data.work.moving ? 'healthy' : 'unhealthy'}
                                            />
                                        </td>
                                        <td>
                                            {t('workNow', {
                                                waiting: number(health.data.work.waiting),
                                                running: number(health.data.work.running),
                                                workers: number(health.data.work.workers),
                                            })}
                                        </td>
                                    </tr>
                                </tbody>
                            </table>
                        </TableScroll>
                    </>
                )}
            </Card>
            <Notice tone="info">{t('variables')}</Notice>
        </Page>
    );
}
