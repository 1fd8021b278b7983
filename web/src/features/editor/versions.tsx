/* The versions of a flow: what each changed, shown on the canvas; back to one, or published. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { GitCompare, History, Rocket, X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import type { Flow, Json } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { Button, IconButton } from '@/ui/button';
import { ask } from '@/ui/ask';
import { Ago, ErrorState, Loading, Notice } from '@/ui/layout';
import { say, sayError } from '@/ui/toast';
import css from './editor.module.css';
import { differenceOf, flowOf, nodeChanges, notesOf, type Difference } from './model';
import { loadVersion, publishFlow, type PublishedVersion } from './publish';
import { openDrawing, selectNone, useEditor } from './store';

export function Versions({ flow, onClose }: { flow: Flow; onClose: () => void }) {
    const { t } = useTranslation('editor');
    const queries = useQueryClient();
    const editor = useMay('editor');
    const compared = useEditor((s) => s.compared);
    const versions = useQuery({
        queryKey: ['versions', flow.id],
        queryFn: ({ signal }) =>
            call<PublishedVersion[]>('GET', `/api/v1/flows/${flow.id}/versions`, undefined, signal),
    });
    const compare = useMutation({
        mutationFn: (version: number) => loadVersion(flow.id, version),
        onSuccess: (other, version) => {
            selectNone();
            useEditor.setState({ compared: { version, flow: other } });
        },
        onError: (error) => {
            sayError(error);
        },
    });
    const restore = useMutation({
        mutationFn: (version: number) =>
            call<Flow>('POST', `/api/v1/flows/${flow.id}/versions/${String(version)}/rollback`, {}),
        onSuccess: (restored, version) => {
            queries.setQueryData(['flow', flow.id], restored);
            void queries.invalidateQueries({ queryKey: ['versions', flow.id] });
            openDrawing(restored);
            say(t('restored', { version }));
        },
        onError: (error) => {
            sayError(error);
        },
    });
    const publish = useMutation({
        mutationFn: (version: number) => publishFlow(flow.id, { version }),
        onSuccess: (saved, version) => {
            queries.setQueryData(['flow', flow.id], saved);
            void queries.invalidateQueries({ queryKey: ['versions', flow.id] });
            say(t('publish.done', { version }));
        },
        onError: (error) => {
            sayError(error);
        },
    });
    return (
        <div className={css.panel}>
            <div className={css.bottomHead}>
                <h2>{t('versions')}</h2>
                <span className={css.spacer} />
                <IconButton small icon={X} label={t('hide')} onClick={onClose} />
            </div>
            {compared !== null && <Compared />}
            {versions.isPending && <Loading />}
            {versions.isError && (
                <ErrorState error={versions.error} onRetry={() => void versions.refetch()} />
            )}
            <ol className={css.versions}>
                {versions.data?.map((version) => (
                    <li
                        key={version.version}
                        data-compared={compared?.version === version.version || undefined}
                    >
                        <div className={css.bottomHead}>
                            <strong>{t('version', { version: version.version })}</strong>
                            {version.version === flow.publishedVersion && (
                                <span className={css.published} data-tone="good">
                                    {t('publish.published')}
                                </span>
                            )}
                            <span className="muted">
                                <Ago at={version.createdAt} />
                                {version.createdBy !== null && ` · ${version.createdBy}`}
                            </span>
                        </div>
                        {version.changes !== null && <p>{version.changes}</p>}
                        {version.publishNote != null && (
                            <p className="muted">
                                <Rocket size={12} aria-hidden /> {version.publishNote}
                            </p>
                        )}
                        <div className={css.bottomHead}>
                            <Button
                                small
                                icon={GitCompare}
                                aria-label={t('compareLabel', { version: version.version })}
                                onClick={() => {
                                    compare.mutate(version.version);
                                }}
                            >
                                {t('compare')}
                            </Button>
                            {editor && version.version < flow.version && (
                                <Button
                                    small
                                    icon={History}
                                    busy={restore.isPending}
                                    aria-label={t('restoreLabel', { version: version.version })}
                                    onClick={() => {
                                        ask({
                                            title: t('restoreTitle', { version: version.version }),
                                            text: t('restoreText'),
                                            confirm: t('restore'),
                                            onConfirm: () =>
                                                restore.mutateAsync(version.version).catch(() => undefined),
                                        });
                                    }}
                                >
                                    {t('restore')}
                                </Button>
                            )}
                            {editor && version.version !== flow.publishedVersion && (
                                <Button
                                    small
                                    icon={Rocket}
                                    busy={publish.isPending}
                                    aria-label={t('publish.label', { version: version.version })}
                                    onClick={() => {
                                        publish.mutate(version.version);
                                    }}
                                >
                                    {t('publish.publish')}
                                </Button>
                            )}
                        </div>
                    </li>
                ))}
            </ol>
        </div>
    );
}

const shown = (value: Json | undefined): string => (value === undefined ? '–' : JSON.stringify(value));

/** What is different between that version and what is drawn, in words; the canvas has it in colours. */
function Compared() {
    const { t } = useTranslation('editor');
    const compared = useEditor((s) => s.compared);
    const nodes = useEditor((s) => s.nodes);
    const edges = useEditor((s) => s.edges);
    if (compared === null) return null;
    const now = flowOf({ nodes, edges });
    const difference = differenceOf(compared.flow, now);
    const parts = (['added', 'removed', 'changed', 'moved'] as (keyof Difference)[]).filter(
        (part) => difference[part].length > 0,
    );
    const links = (list: { fromNodeId: string; fromOutput: string; toNodeId: string; toInput: string }[]) =>
        new Set(list.map((c) => `${c.fromNodeId}.${c.fromOutput} → ${c.toNodeId}.${c.toInput}`));
    const [before, after] = [links(compared.flow.connections), links(now.connections)];
    const joined = [...after].filter((one) => !before.has(one));
    const parted = [...before].filter((one) => !after.has(one));
    const notes = JSON.stringify(compared.flow.settings?.notes ?? []) !== JSON.stringify(notesOf(nodes));
    const same = parts.length === 0 && joined.length === 0 && parted.length === 0 && !notes;
    return (
        <section className={css.compared} aria-label={t('comparedWith', { version: compared.version })}>
            <div className={css.bottomHead}>
                <h3>{t('comparedWith', { version: compared.version })}</h3>
                <span className={css.spacer} />
                <Button
                    small
                    icon={X}
                    onClick={() => {
                        useEditor.setState({ compared: null });
                    }}
                >
                    {t('compareEnd')}
                </Button>
            </div>
            {same && <Notice tone="info">{t('differenceNone')}</Notice>}
            {parts.map((part) => (
                <div key={part} className={css.diffPart} data-part={part}>
                    <strong>
                        {t(`difference.${part}`)}: {difference[part].length}
                    </strong>{' '}
                    {part === 'changed' ? null : difference[part].join(', ')}
                    {part === 'changed' && (
                        <ul>
                            {difference.changed.map((id) => {
                                const then = compared.flow.nodes.find((node) => node.id === id);
                                const current = now.nodes.find((node) => node.id === id);
                                if (then === undefined || current === undefined) return null;
                                return (
                                    <li key={id}>
                                        {id}
                                        <dl>
                                            {nodeChanges(then, current).map((change) => (
                                                <div key={change.path}>
                                                    <dt className="mono">{change.path}</dt>
                                                    <dd>
                                                        <del>{shown(change.before)}</del>{' '}
                                                        <ins>{shown(change.after)}</ins>
                                                    </dd>
                                                </div>
                                            ))}
                                        </dl>
                                    </li>
                                );
                            })}
                        </ul>
                    )}
                </div>
            ))}
            {joined.length > 0 && (
                <div className={css.diffPart} data-part="added">
                    <strong>{t('difference.joined')}</strong> {joined.join(', ')}
                </div>
            )}
            {parted.length > 0 && (
                <div className={css.diffPart} data-part="removed">
                    <strong>{t('difference.parted')}</strong> {parted.join(', ')}
                </div>
            )}
            {notes && <div className={css.diffPart}>{t('difference.notes')}</div>}
        </section>
    );
}
