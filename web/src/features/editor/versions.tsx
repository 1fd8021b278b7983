/* The versions of a flow: what one changed, and back to it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { GitCompare } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import type { Flow, FlowVersion } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { Ago, Loading, Notice } from '@/ui/layout';
import { say, sayError } from '@/ui/toast';
import css from './editor.module.css';
import { differenceOf, flowOf } from './model';
import { openDrawing, useEditor } from './store';

export function Versions({ flow, onClose }: { flow: Flow; onClose: () => void }) {
    const { t } = useTranslation('editor');
    const queries = useQueryClient();
    const editor = useMay('editor');
    const [other, setOther] = useState<number | null>(null);
    const versions = useQuery({
        queryKey: ['versions', flow.id],
        queryFn: ({ signal }) =>
            call<FlowVersion[]>('GET', `/api/v1/flows/${flow.id}/versions`, undefined, signal),
    });
    const compared = useQuery({
        queryKey: ['versions', flow.id, other],
        enabled: other !== null,
        queryFn: ({ signal }) =>
            call<Flow>('GET', `/api/v1/flows/${flow.id}/versions/${String(other)}`, undefined, signal),
    });
    const restore = useMutation({
        mutationFn: (version: number) =>
            call<Flow>('POST', `/api/v1/flows/${flow.id}/versions/${String(version)}/rollback`, {}),
        onSuccess: (restored, version) => {
            queries.setQueryData(['flow', flow.id], restored);
            openDrawing(restored);
            say(t('restored', { version }));
            onClose();
        },
        onError: (error) => {
            sayError(error);
        },
    });
    const difference =
        compared.data === undefined ? null : differenceOf(compared.data, flowOf(useEditor.getState()));
    const parts = (['added', 'removed', 'changed', 'moved'] as const).filter(
        (part) => (difference?.[part].length ?? 0) > 0,
    );
    return (
        <Dialog open title={t('versions')} onClose={onClose}>
            {versions.isPending && <Loading />}
            {versions.data?.map((version) => (
                <div key={version.version} className={css.bottomHead}>
                    <strong>{t('version', { version: version.version })}</strong>
                    <Ago at={version.createdAt} />
                    <span className={css.spacer} />
                    <Button
                        small
                        icon={GitCompare}
                        onClick={() => {
                            setOther(version.version);
                        }}
                    >
                        {t('compare')}
                    </Button>
                    {editor && version.version < flow.version && (
                        <Button
                            small
                            busy={restore.isPending}
                            onClick={() => {
                                restore.mutate(version.version);
                            }}
                        >
                            {t('restore')}
                        </Button>
                    )}
                </div>
            ))}
            {difference !== null && (
                <Notice tone="info">
                    {parts.length === 0
                        ? t('differenceNone')
                        : parts.map((part) => (
                              <div
                                  key={part}
                              >{`${t(`difference.${part}`)}: ${difference[part].join(', ')}`}</div>
                          ))}
                </Notice>
            )}
        </Dialog>
    );
}
