/* What node types, categories and pins are called in the page's language; the catalog speaks English. */
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { NodeType } from './model';

export interface NodeTexts {
    name: (type: string, catalog: string | null | undefined) => string;
    description: (type: string, catalog: string | null | undefined) => string;
    category: (category: string) => string;
    /** What the palette searches in: both languages, since people know a node by either. */
    searched: (type: NodeType) => string;
}

export function useNodeTexts(): NodeTexts {
    const { t } = useTranslation('catalog');
    return useMemo(() => {
        const of = (key: string, otherwise: string): string =>
            t(key as never, { defaultValue: otherwise }) as unknown as string;
        const name: NodeTexts['name'] = (type, catalog) => of(`nodes.${type}.name`, catalog ?? type);
        const description: NodeTexts['description'] = (type, catalog) =>
            of(`nodes.${type}.description`, catalog ?? '');
        return {
            name,
            description,
            category: (category) => of(`categories.${category}`, category),
            searched: (type) =>
                [
                    name(type.type, type.name),
                    description(type.type, type.description),
                    type.name,
                    type.type,
                    type.description ?? '',
                ].join(' '),
        };
    }, [t]);
}
