/* The addresses that start flows, each with a test call. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Send, Webhook as WebhookIcon } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import { useFormats } from '@/lib/format/format';
import { Button } from '@/ui/button';
import { CopyButton, DataView } from '@/ui/data-view';
import { Dialog } from '@/ui/dialog';
import { TextAreaField } from '@/ui/field';
import {
    Card,
    EmptyState,
    ErrorState,
    Loading,
    Notice,
    Page,
    Status,
    TableScroll,
    tableClass,
} from '@/ui/layout';

interface Webhook {
    method: string;
    path: string;
    flowId: string;
    flowName: string;
    nodeId: string;
    active: boolean;
    waits: boolean;
}
const addressOf = (webhook: Webhook): string =>
    `${window.location.origin}/webhooks/${webhook.path.split('/').map(encodeURIComponent).join('/')}`;

export function WebhooksPage() {
    const { t } = useTranslation('webhooks');
    const [tried, setTried] = useState<Webhook | null>(null);
    const webhooks = useQuery({
        queryKey: ['webhooks'],
        queryFn: ({ signal }) => call<Webhook[]>('GET', '/api/v1/webhooks', undefined, signal),
    });
    const rows = [...(webhooks.data ?? [])].sort((a, b) => a.path.localeCompare(b.path));
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Card flush>
                {webhooks.isPending && <Loading />}
                {webhooks.isError && (
                    <ErrorState error={webhooks.error} onRetry={() => void webhooks.refetch()} />
                )}
                {webhooks.isSuccess && rows.length === 0 && (
                    <EmptyState icon={WebhookIcon} title={t('empty.title')}>
                        {t('empty.help')}
                    </EmptyState>
                )}
                {rows.length > 0 && (
                    <TableScroll label={t('title')}>
                        <table className={tableClass}>
                            <thead>
                                <tr>
                                    <th scope="col">{t('address')}</th>
                                    <th scope="col">{t('flow')}</th>
                                    <th scope="col">{t('answers')}</th>
                                    <th scope="col">{t('state')}</th>
                                    <th scope="col" data-align="end">
                                        <span className="visually-hidden">{t('actions')}</span>
                                    </th>
                                </tr>
                            </thead>
                            <tbody>
                                {rows.map((webhook) => (
                                    <tr key={`${webhook.method} ${webhook.path}`}>
                                        <td>
                                            <b>{webhook.method}</b> <code>/webhooks/{webhook.path}</code>{' '}
                                            <CopyButton
                                                text={addressOf(webhook)}
                                                label={t('copy', { path: webhook.path })}
                                            />
                                        </td>
                                        <td>
                                            <Link to="/flows/$flowId" params={{ flowId: webhook.flowId }}>
                                                {webhook.flowName}
                                            </Link>
                                        </td>
                                        <td>{t(webhook.waits ? 'result' : 'atOnce')}</td>
                                        <td>
                                            <Status status={webhook.active ? 'active' : 'inactive'} />
                                        </td>
                                        <td data-align="end">
                                            <Button
                                                small
                                                icon={Send}
                                                disabled={!webhook.active}
                                                aria-label={t('tryOf', { path: webhook.path })}
                                                onClick={() => {
                                                    setTried(webhook);
                                                }}
                                            >
                                                {t('try')}
                                            </Button>
                                        </td>
                                    </tr>
                                ))}
                            </tbody>
                        </table>
                    </TableScroll>
                )}
            </Card>
            {tried !== null && (
                <Trial
                    webhook={tried}
                    onClose={() => {
                        setTried(null);
                    }}
                />
            )}
        </Page>
    );
}

interface Answer {
    status: number;
    ms: number;
    body: unknown;
}
async function send(webhook: Webhook, method: string, body: string): Promise<Answer> {
    const begun = performance.now();
    // eslint-disable-next-line no-restricted-globals -- a caller of the webhook, not of the API
    const response = await fetch(addressOf(webhook), {
        method,
        ...(method !== 'GET' && { body, headers: { 'Content-Type': 'application/json' } }),
    });
    const text = await response.text();
    let parsed: unknown = text;
    try {
        parsed = JSON.parse(text);
    } catch {
        // Shown as it is.
    }
    return { status: response.status, ms: performance.now() - begun, body: parsed };
}

function Trial({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
    const { t } = useTranslation('webhooks');
    const { duration } = useFormats();
    const [body, setBody] = useState('{}');
    const method = webhook.method === 'ANY' ? 'POST' : webhook.method;
    const trial = useMutation({ mutationFn: () => send(webhook, method, body) });
    return (
        <Dialog
            open
            wide
            title={t('trial')}
            description={`${method} ${addressOf(webhook)}`}
            onClose={onClose}
            onSubmit={() => {
                trial.mutate();
            }}
            footer={
                <>
                    <Button onClick={onClose}>{t('common:actions.close')}</Button>
                    <Button variant="primary" type="submit" icon={Send} busy={trial.isPending}>
                        {t('send')}
                    </Button>
                </>
            }
        >
            {method !== 'GET' && (
                <TextAreaField
                    label={t('body')}
                    rows={6}
                    spellCheck={false}
                    value={body}
                    onChange={setBody}
                />
            )}
            {trial.isError && <Notice>{trial.error.message}</Notice>}
            {trial.isSuccess && (
                <>
                    <p role="status">
                        {t('answered', {
                            status: trial.data.status,
                            time: duration(Math.round(trial.data.ms)),
                        })}
                    </p>
                    <DataView label={t('answer')} value={trial.data.body} />
                </>
            )}
        </Dialog>
    );
}
