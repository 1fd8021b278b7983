/* What the service finds in a drawn flow, told of the field where it is, in the page's language. */
import { createContext, useContext, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { FlowCheck } from '@/lib/api/models';
import { useTranslate } from '@/lib/said/said';
import type { Translate } from '@/lib/said/sentences';
import { useCatalog } from './catalog';
import { useSpoken, type Speak } from './field-texts';
import type { Catalog, FieldSpec } from './model';
import { useEditor } from './store';

export interface NodeProblem {
    code: string;
    nodeId?: string;
    text: string;
    /** The language that `text` is in; undefined: the page's. */
    lang?: 'en';
    /** Inside the node's configuration, such as conditions[0].field; empty: the node as a whole. */
    path: string;
    /** It cannot be saved so; otherwise it can, and would fail when it runs. */
    bad: boolean;
}
export type Found = FlowCheck['errors'][number];

const PATH = /\bnodes\[\d+\]\.config\.([\w-]+(?:\[\d+\]|\.[\w-]+)*)/g;
/** conditions[0].field: what the form calls it, "Conditions 1 › Field". */
export function labelOf(path: string, fields: FieldSpec[] | undefined, speak: Speak): string {
    const parts = path.split('.');
    let at = fields;
    const said: string[] = [];
    for (const part of parts) {
        const [, name = part, index] = /^([^[]*)(?:\[(\d+)\])?/.exec(part) ?? [];
        const field = at?.find((one) => one.name === name);
        const label = speak(field?.label ?? name);
        said.push(index === undefined ? label : `${label} ${String(Number(index) + 1)}`);
        at = field?.fields;
    }
    return said.join(' › ');
}

const pathOf = (field: string | null | undefined): string =>
    field == null ? '' : (/^nodes\[\d+\]\.config\.(.+)$/.exec(field)?.[1] ?? '');

/** How a problem reads: by the names that the forms show. */
export function reader(
    translate: Translate,
    typeOf: (nodeId: string) => string | undefined,
    catalog: Catalog,
    speak: Speak,
    quote: (name: string) => string,
) {
    return (problem: Found, bad: boolean): NodeProblem => {
        const fields = catalog.get(typeOf(problem.nodeId ?? '') ?? '')?.fields;
        const translated = translate(problem.message);
        return {
            code: problem.code,
            ...(problem.nodeId != null && { nodeId: problem.nodeId }),
            text: (translated ?? problem.message).replace(PATH, (_, path: string) =>
                quote(labelOf(path, fields, speak)),
            ),
            ...(translated === undefined && { lang: 'en' as const }),
            path: pathOf(problem.field),
            bad,
        };
    };
}

const unspoken: Speak = (english) => english;
export function useReader(): ReturnType<typeof reader> {
    const { t } = useTranslation('editor');
    const translate = useTranslate();
    const catalog = useCatalog();
    const speak = useSpoken('fields') ?? unspoken;
    return useMemo(
        () =>
            reader(
                translate,
                (id) => useEditor.getState().nodes.find((one) => one.id === id)?.data.type,
                catalog,
                speak,
                (name) => t('quoted', { name }),
            ),
        [translate, catalog, speak, t],
    );
}

/** What is wrong with the node whose form it is. */
export const ProblemsContext = createContext<NodeProblem[]>([]);
/** Of the field itself, or, where it has no form of its own for its parts, of what is in it. */
export function useProblemAt(path: string, withParts: boolean): NodeProblem | undefined {
    return useContext(ProblemsContext).find(
        (one) =>
            one.path === path ||
            (withParts && (one.path.startsWith(`${path}.`) || one.path.startsWith(`${path}[`))),
    );
}
