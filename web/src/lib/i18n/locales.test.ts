import { describe, expect, it } from 'vitest';

type Texts = Record<string, unknown>;
const files = import.meta.glob<Texts>(['/src/features/*/locales/*.json', '/src/lib/i18n/locales/*.json'], {
    import: 'default',
    eager: true,
});
const plural = /_(zero|one|two|few|many|other)$/;

function flat(texts: Texts, at = ''): Map<string, string> {
    const found = new Map<string, string>();
    for (const [key, value] of Object.entries(texts))
        if (typeof value === 'object' && value !== null)
            flat(value as Texts, `${at}${key}.`).forEach((text, name) => found.set(name, text));
        else found.set(at + key, String(value));
    return found;
}
const variables = (text: string): string[] => [...text.matchAll(/\{\{(\w+)/g)].map((m) => m[1] ?? '').sort();

describe('texts', () => {
    const english = Object.keys(files).filter((path) => path.endsWith('/en.json'));
    it.each(english)('%s has the same texts in Spanish', (path) => {
        const en = flat(files[path] ?? {});
        const es = flat(files[path.replace('/en.json', '/es.json')] ?? {});
        const names = (texts: Map<string, string>): string[] =>
            [...new Set([...texts.keys()].map((key) => key.replace(plural, '')))].sort();
        expect(names(es)).toEqual(names(en));
        for (const [key, text] of en) {
            expect(text, key).not.toBe('');
            if (es.has(key)) expect(variables(es.get(key) ?? ''), key).toEqual(variables(text));
        }
    });
    it.each(english)('%s has every plural form of both languages', (path) => {
        for (const [language, forms] of [
            ['en', ['one', 'other']],
            ['es', ['one', 'many', 'other']],
        ] as const) {
            const texts = flat(files[path.replace('/en.json', `/${language}.json`)] ?? {});
            for (const key of texts.keys())
                if (plural.test(key))
                    for (const form of forms)
                        expect([...texts.keys()], language).toContain(key.replace(plural, `_${form}`));
        }
    });
});
