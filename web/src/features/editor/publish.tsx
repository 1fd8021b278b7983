/* Which version triggers use: the newest, or one that was published. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Rocket } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import type { Flow, FlowVersion } from '@/lib/api/models';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { TextAreaField } from '@/ui/field';
import { Failure, Loading } from '@/ui/layout';
import { say, sayError } from '@/ui/toast';
import css from './editor.module.css';
import { differenceOf } from './model';

export type PublishedVersion = FlowVersion & {
    publishedAt?: string | null;
    publishedBy?: string | null;
    publishNote?: string | null;
};

export const publishFlow = (id: string, body: { version?: number; note?: string }): Promise<Flow> =>
    call('POST', `/api/v1/flows/${id}/publish`, body);
export const loadVersion = (id: string, version: number, signal?: AbortSignal): Promise<Flow> =>
    call('GET', `/api/v1/flows/${id}/versions/${String(version)}`, undefined, signal);

/** Says what webhooks and schedules run, beside the name of the flow. */
export function PublishedBadge({ flow, dirty }: { flow: Flow; dirty: boolean }) {
    const { t } = useTranslation('editor');
    const published = flow.publishedVersion ?? null;
    const [tone, text] =
        published === null
            ? (['plain', t('publish.newest', { version: flow.version })] as const)
            : published === flow.version && !dirty
              ? (['good', t('publish.current', { version: published })] as const)
              : (['warn', t('publish.behind', { version: published, draft: flow.version })] as const);
    return (
        <span className={css.published} data-tone={tone} title={t('publish.badgeHelp')}>
            {text}
        </span>
    );
}

export function PublishDialog({ flow, onClose }: { flow: Flow; onClose: () => void }) {
    const { t } = useTranslation('editor');
    const queries = useQueryClient();
    const [note, setNote] = useState('');
    const published = flow.publishedVersion ?? null;
    const former = useQuery({
        queryKey: ['versions', flow.id, published],
        enabled: published !== null && published !== flow.version,
        queryFn: ({ signal }) => loadVersion(flow.id, published ?? 0, signal),
    });
    const publish = useMutation({
        mutationFn: (version: number) =>
            publishFlow(flow.id, { version, ...(note.trim() !== '' && { note: note.trim() }) }),
        onSuccess: (saved, version) => {
            queries.setQueryData(['flow', flow.id], saved);
            void queries.invalidateQueries({ queryKey: ['versions', flow.id] });
            say(version === 0 ? t('publish.unpinned') : t('publish.done', { version }));
            onClose();
        },
        onError: (error) => {
            sayError(error);
        },
    });
    const difference = former.data === undefined ? null : differenceOf(former.data, flow);
    return (
        <Dialog
            open
            title={t('publish.title', { version: flow.version })}
            description={t('publish.help')}
            onClose={onClose}
            onSubmit={() => {
                publish.mutate(flow.version);
            }}
            footer={
                <>
                    {published !== null && (
                        <Button
                            busy={publish.isPending}
                            onClick={() => {
                                publish.mutate(0);
                            }}
                        >
                            {t('publish.unpin')}
                        </Button>
                    )}
                    <Button type="submit" variant="primary" icon={Rocket} busy={publish.isPending}>
                        {t('publish.publish')}
                    </Button>
                </>
            }
        >
            {published !== null && published !== flow.version && (
                <>
                    {former.isPending && <Loading lines={2} />}
                    {former.isError && <Failure error={former.error} />}
                    {difference !== null && (
                        <p className="muted">
                            {t('publish.since', {
                                version: published,
                                added: difference.added.length,
                                removed: difference.removed.length,
                                changed: difference.changed.length,
                            })}
                        </p>
                    )}
                </>
            )}
            <TextAreaField
                label={t('publish.note')}
                hint={t('publish.optional')}
                rows={3}
                maxLength={500}
                value={note}
                onChange={setNote}
            />
        </Dialog>
    );
}
