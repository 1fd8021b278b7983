/* What the catalog says of node types' fields, pins and use, in the page's language. The catalog speaks English: its
   texts are the keys, and what is not there (a node type of one's own) stays as it is. */
import { useQuery } from '@tanstack/react-query';
import { useCallback, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { FieldSpec } from './model';

type Texts = Record<string, string>;
type Part = 'fields' | 'documentation';
const parts: Record<Part, Record<string, () => Promise<Texts>>> = {
    /** Labels and help of fields, what pins are. */
    fields: { es: async () => (await import('./field-texts.es.json')).default },
    /** The rest of the documentation, which is only seen when it is asked for. */
    documentation: { es: async () => (await import('./documentation-texts.es.json')).default },
};
export type Speak = (english: string) => string;

/** undefined: it is being loaded. */
export function useSpoken(part: Part): Speak | undefined {
    const { i18n } = useTranslation();
    const load = parts[part][i18n.language];
    const { data } = useQuery({
        queryKey: ['catalog-texts', part, i18n.language],
        queryFn: async (): Promise<Texts> => (await load?.()) ?? {},
        enabled: load !== undefined,
        staleTime: Infinity,
    });
    const speak = useCallback<Speak>((english) => data?.[english] ?? english, [data]);
    return load !== undefined && data === undefined ? undefined : speak;
}

/** With the value itself, which help and expressions speak of. */
const named = (value: string, text: string): string =>
    text.toLowerCase() === value.toLowerCase() ? text : `${text} (${value})`;
const said = (field: FieldSpec, speak: Speak): FieldSpec => {
    const { label, help, group, fields, values } = field;
    return {
        ...field,
        label: speak(label ?? field.name),
        ...(help != null && { help: speak(help) }),
        ...(group != null && { group: speak(group) }),
        ...(values !== undefined && { valueTexts: values.map((value) => named(value, speak(value))) }),
        ...(fields !== undefined && { fields: fields.map((inner) => said(inner, speak)) }),
    };
};

export function useFields(fields: FieldSpec[] | undefined): FieldSpec[] {
    const speak = useSpoken('fields');
    return useMemo(
        () => (fields ?? []).map((field) => (speak === undefined ? field : said(field, speak))),
        [fields, speak],
    );
}
