// What the page says, by the keys the page itself uses: one test reads in every language, and no text stands twice.
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import i18next from 'i18next';

const src = new URL('../src/', import.meta.url);
const read = (path) => JSON.parse(readFileSync(new URL(path, src), 'utf8'));
const namespaces = readdirSync(new URL('features/', src));

/**
 * `t('schedules:new')` is the text, `t('schedules:saved', { name })` the one with values: a key or a value that is
 * missing is an error. `t.like(key, values)` is a pattern of the whole text in which anything stands for the values
 * that are not given. `t.spoken(english)` is what the page makes of a text of the catalog: a field's label or help.
 */
export function textsOf(language) {
    const resources = { common: read(`lib/i18n/locales/${language}.json`) };
    for (const namespace of namespaces) {
        const files = readdirSync(new URL(`features/${namespace}/`, src));
        if (files.includes('locales'))
            resources[namespace] = read(`features/${namespace}/locales/${language}.json`);
    }
    const of = (missing) => {
        const instance = i18next.createInstance();
        void instance.init({
            lng: language,
            fallbackLng: false,
            ns: Object.keys(resources),
            defaultNS: 'common',
            resources: { [language]: resources },
            initAsync: false,
            showSupportNotice: false,
            interpolation: { escapeValue: false },
            missingInterpolationHandler: missing,
        });
        return (key, values) => {
            if (!instance.exists(key, values)) throw new Error(`no text ${key} in ${language}`);
            return instance.t(key, values);
        };
    };
    const t = of((text, [name]) => {
        throw new Error(`${text}: no ${name} is given`);
    });
    const open = of(() => '\0');
    const spoken = language === 'en' ? null : read(`features/editor/field-texts.${language}.json`);
    t.like = (key, values) =>
        new RegExp(
            `^${open(key, values)
                .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
                .replaceAll('\0', '.+')}$`,
        );
    t.spoken = (english) => {
        const said = spoken === null ? english : spoken[english];
        if (said === undefined) throw new Error(`"${english}" is not said in ${language}`);
        return said;
    };
    return t;
}

/**
 * A test of what a person does and reads, in both languages and both themes. It gets `t`, and `look`, which is what
 * `open` needs for the page to be so.
 */
export function inBoth(title, run) {
    for (const look of [
        { language: 'en', theme: 'light' },
        { language: 'es', theme: 'dark' },
    ]) {
        const { language, theme } = look;
        test(`${title} (${language}, ${theme})`, () => run({ language, look, t: textsOf(language) }));
    }
}
