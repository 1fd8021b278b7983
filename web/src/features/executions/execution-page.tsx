import { Link, useParams } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api, payload } from '@/lib/api/client';
import { Card, ErrorState, Loading, Page, Status } from '@/ui/layout';

export function ExecutionPage() {
    const { t } = useTranslation('executions');
    const { executionId } = useParams({ from: '/shell/executions/$executionId' });
    const execution = useQuery({
        queryKey: ['execution', executionId],
        queryFn: ({ signal }) =>
            payload(
                api.GET('/api/v1/scheduler/executions/{id}', {
                    params: { path: { id: executionId } },
                    signal,
                }),
            ),
    });
    return (
        <Page title={executionId} crumb={<Link to="/executions">{t('title')}</Link>}>
            <Card>
                {execution.isPending && <Loading />}
                {execution.isError && (
                    <ErrorState error={execution.error} onRetry={() => void execution.refetch()} />
                )}
                {execution.isSuccess && <Status status={execution.data.status} />}
            </Card>
        </Page>
    );
}
