/* A sentence of the service on the page. */
import { useQuery } from '@tanstack/react-query';
import i18next from 'i18next';
import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '@/lib/api/client';
import { translator, type Translate } from './sentences';

const tables: Record<string, () => Promise<Translate>> = {
    es: async () => {
        const [sentences, words] = await Promise.all([
            import('./sentences.es.json'),
            import('./words.es.json'),
        ]);
        return translator({ sentences: sentences.default, words: words.default });
    },
};
const same: Translate = (sentence) => sentence;

/** Loaded with the first sentence that is to be said. */
export function useTranslate(): Translate {
    const { i18n } = useTranslation();
    const load = tables[i18n.language];
    const { data } = useQuery({
        queryKey: ['said', i18n.language],
        queryFn: async () => (await load?.()) ?? same,
        enabled: load !== undefined,
        staleTime: Infinity,
        gcTime: Infinity,
    });
    const waiting = useCallback<Translate>(() => undefined, []);
    return load === undefined ? same : (data ?? waiting);
}

/** For where only text may be: a title, a label's help. */
export function useSaid(): (text: string) => string {
    const translate = useTranslate();
    return useCallback((text) => translate(text) ?? text, [translate]);
}

/** What has no translation is marked as English, so that it is read out as such. */
export function Said({ children }: { children: string }) {
    const translated = useTranslate()(children);
    return translated === undefined ? <span lang="en">{children}</span> : <>{translated}</>;
}

/** What kind of refusal it is, by its code, which stays as it is whatever the sentence says. */
export const titleOf = (error: unknown): string =>
    i18next.t([
        `codes.${error instanceof ApiError ? (error.unreachable ? 'UNREACHABLE' : error.code) : ''}`,
        'errors.title',
    ]);

/** What went wrong, as the service says it, which tells what would be right. */
export function SaidError({ error }: { error: unknown }) {
    const { t } = useTranslation();
    if (error instanceof ApiError && error.unreachable) return <>{t('errors.unreachable')}</>;
    return <Said>{error instanceof Error ? error.message : String(error)}</Said>;
}
