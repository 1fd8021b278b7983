import { Link, useParams } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { DataView } from '@/ui/data-view';
import { Card, ErrorState, Loading, Page } from '@/ui/layout';
import { getFlow } from '../flows/api';

export function EditorPage() {
    const { t } = useTranslation('editor');
    const { flowId } = useParams({ from: '/shell/flows/$flowId' });
    const flow = useQuery({
        queryKey: ['flow', flowId],
        queryFn: ({ signal }) => getFlow(flowId, signal),
        enabled: flowId !== 'new',
    });
    return (
        <Page title={flow.data?.name ?? t('title')} crumb={<Link to="/flows">{t('common:nav.flows')}</Link>}>
            <Card>
                {flow.isLoading && <Loading />}
                {flow.isError && <ErrorState error={flow.error} onRetry={() => void flow.refetch()} />}
                {flow.isSuccess && <DataView label={flow.data.name} value={flow.data} />}
            </Card>
        </Page>
    );
}
