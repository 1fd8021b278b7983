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
import { EmptyState, Failure, Page, Status } from '@/ui/layout';
import { ListCard } from '@/ui/table';

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
        select: (all) => [...all].sort((a, b) => a.path.localeCompare(b.path)),
    });
    return (
        <Page title={t('title')} lead={t('lead')}>
            <ListCard
                label={t('title')}
                query={webhooks}
                rowKey={(webhook) => `${webhook.method} ${webhook.path}`}
                empty={
                    <EmptyState icon={WebhookIcon} title={t('empty.title')}>
                        {t('empty.help')}
                    </EmptyState>
                }
                columns={[
                    {
                        head: t('address'),
                        cell: (webhook) => (
                            <>
                                <b>{webhook.method}</b> <code>/webhooks/{webhook.path}</code>{' '}
                                <CopyButton
                                    text={addressOf(webhook)}
                                    label={t('copy', { path: webhook.path })}
                                />
                            </>
                        ),
                    },
                    {
                        head: t('flow'),
                        cell: (webhook) => (
                            <Link to="/flows/$flowId" params={{ flowId: webhook.flowId }}>
                                {webhook.flowName}
                            </Link>
                        ),
                    },
                    { head: t('answers'), cell: (webhook) => t(webhook.waits ? 'result' : 'atOnce') },
                    {
                        head: t('state'),
                        cell: (webhook) => <Status status={webhook.active ? 'active' : 'inactive'} />,
                    },
                    {
                        head: t('actions'),
                        hideHead: true,
                        end: true,
                        cell: (webhook) => (
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
                        ),
                    },
                ]}
            />
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
            {trial.isError && <Failure error={trial.error} />}
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
