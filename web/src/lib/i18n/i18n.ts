/* English and Spanish. Each feature has its texts in features/<name>/locales/<language>.json, loaded when the feature
   is; what the shell and the components say is in lib/i18n/locales, part of the start. */
import i18next, { type BackendModule, type ReadCallback } from 'i18next';
import { initReactI18next } from 'react-i18next';

export const languages = ['en', 'es'] as const;
export type Language = (typeof languages)[number];
export const languageNames: Record<Language, string> = { en: 'English', es: 'Español' };

type Texts = Record<string, unknown>;
const featureTexts = import.meta.glob<Texts>('/src/features/*/locales/*.json', { import: 'default' });
// The frame needs them before anything else: they come with it, in both languages.
const commonTexts = import.meta.glob<Texts>('./locales/*.json', { import: 'default', eager: true });

const backend: BackendModule = {
    type: 'backend',
    init: () => undefined,
    read: (language: string, namespace: string, done: ReadCallback) => {
        const load = featureTexts[`/src/features/${namespace}/locales/${language}.json`];
        if (load === undefined) {
            done(new Error(`no texts of ${namespace} in ${language}`), false);
            return;
        }
        load().then(
            (texts) => {
                done(null, texts);
            },
            (error: unknown) => {
                done(error instanceof Error ? error : new Error(String(error)), false);
            },
        );
    },
};

function preferred(): Language {
    try {
        const chosen = localStorage.getItem('caudal.language');
        if (chosen === 'en' || chosen === 'es') return chosen;
    } catch {
        // No storage: the browser's language is used.
    }
    return navigator.language.toLowerCase().startsWith('es') ? 'es' : 'en';
}

export async function startTexts(): Promise<void> {
    i18next.on('languageChanged', (language) => {
        document.documentElement.lang = language;
    });
    await i18next
        .use(backend)
        .use(initReactI18next)
        .init({
            lng: preferred(),
            fallbackLng: false,
            showSupportNotice: false,
            supportedLngs: [...languages],
            ns: ['common'],
            resources: Object.fromEntries(
                languages.map((language) => [
                    language,
                    { common: commonTexts[`./locales/${language}.json`] ?? {} },
                ]),
            ),
            partialBundledLanguages: true,
            defaultNS: 'common',
            interpolation: { escapeValue: false },
            react: { useSuspense: true },
        });
}

export function chooseLanguage(language: Language): void {
    try {
        localStorage.setItem('caudal.language', language);
    } catch {
        // Then it holds for this visit.
    }
    void i18next.changeLanguage(language);
}
