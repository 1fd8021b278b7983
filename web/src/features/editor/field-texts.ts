/* Labels and help of node types' fields in the page's language. The catalog speaks English: its texts are the keys, and
   what is not there yet stays as it is. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { FieldSpec } from './model';

type Texts = Record<string, string>;
const languages: Record<string, () => Promise<Texts>> = {
    es: async () => (await import('./field-texts.es.json')).default,
};

const said = (field: FieldSpec, texts: Texts): FieldSpec => {
    const { label, help, group, fields } = field;
    return {
        ...field,
        label: texts[label ?? field.name] ?? label ?? field.name,
        ...(help != null && { help: texts[help] ?? help }),
        ...(group != null && { group: texts[group] ?? group }),
        ...(fields !== undefined && { fields: fields.map((inner) => said(inner, texts)) }),
    };
};

export function useFields(fields: FieldSpec[] | undefined): FieldSpec[] {
    const { i18n } = useTranslation();
    const load = languages[i18n.language];
    const { data } = useQuery({
        queryKey: ['field-texts', i18n.language],
        queryFn: () => load?.() ?? {},
        enabled: load !== undefined,
        staleTime: Infinity,
    });
    return useMemo(
        () => (data === undefined ? (fields ?? []) : (fields ?? []).map((field) => said(field, data))),
        [fields, data],
    );
}
