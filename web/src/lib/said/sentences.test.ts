/* The table against the program's sources: nothing in it that is said no more, and of the files below all that they
   say, so that a sentence which changes in C does not silently turn English on the Spanish page. */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import enCommon from '@/lib/i18n/locales/en.json';
import enEditor from '@/features/editor/locales/en.json';
import sentences from './sentences.es.json';
import { translator } from './sentences';
import words from './words.es.json';

const root = resolve(process.cwd(), '../src');
const read = (file: string): string =>
    readFileSync(resolve(root, file), 'utf8')
        .replace(/\/\*[^]*?\*\//g, '')
        .replace(/\\\n/g, '');
const LITERALS = /"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*/g;
const textOf = (literals: string): string =>
    [...literals.matchAll(/"((?:[^"\\\n]|\\.)*)"/g)]
        .map((one) => one[1] ?? '')
        .join('')
        .replace(/\\n/g, '\n')
        .replace(/\\(.)/g, '$1');
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.c'),
);
const saidIn = (file: string): string[] => (read(file).match(LITERALS) ?? []).map(textOf);

/** Their sentences are met by who draws, runs and watches flows and keeps schedules, users and variables. */
const whole = [
    /^flow\//,
    /^expression\//,
    /^json\/(fields|json)\.c$/,
    /^gateway\/(api_keys|auth|cluster|executions|flows|operate|schedule_times|schedules|scoped|secrets|sessions|settings|users|variables|waits|webhook_index)\.c$/,
    /^nodes\/(node|data_filter|condition|if|http_client|records)\.c$/,
    /^worker\/(vault|find_flow|call_inputs)\.c$/,
];
/** Left in English: the page sends no such request, or a person meets it in the program's log only. */
const left = [
    'status must be pending, running, paused, success, failed, cancelled or timeout, not "%.40s".',
    'level must be debug, info, warn or error, not "%.40s".',
    'outcome must be fired, waiting or skipped, not "%.40s".',
    'status must be open, retried or discarded, not "%.40s".',
    'nextRunBefore must be an ISO 8601 time such as 2026-01-02T03:04:05Z, not "%.40s".',
    'after must be an ISO 8601 time such as 2026-01-02T03:04:05Z, not "%.40s".',
    'enabled must be true or false, not "%.40s".',
    '%s cannot be written: %m.',
    '%s must not contain NUL characters.',
    'The request could not be started: %s.',
    'headers has a name or value with characters HTTP does not allow: %.60s.',
    '%s must be a field, or a list of at most %zu fields.',
];
/** The texts of calls that refuse, which are sentences. */
function refusalsIn(file: string): string[] {
    const text = read(file);
    const found: string[] = [];
    for (const call of text.matchAll(/\b(?:error_set|problem_add|refuse\w*)\(/g)) {
        let depth = 1;
        let at = call.index + call[0].length;
        const start = at;
        for (let quoted = false; depth > 0 && at < text.length; at++) {
            const sign = text[at];
            if (quoted && sign === '\\') at++;
            else if (sign === '"') quoted = !quoted;
            else if (!quoted) depth += sign === '(' ? 1 : sign === ')' ? -1 : 0;
        }
        for (const literals of text.slice(start, at).match(LITERALS) ?? []) {
            const said = textOf(literals);
            if (/[a-z]{2,}.* .*[a-z]/.test(said.replace(/%[-.*\dlz]*[sdu]/g, ''))) found.push(said);
        }
    }
    return found;
}

describe('the Spanish of the service', () => {
    it('has only what the service says', () => {
        const said = new Set(sources.flatMap(saidIn));
        expect(Object.keys(sentences).filter((english) => !said.has(english))).toEqual([]);
        expect(left.filter((english) => !said.has(english))).toEqual([]);
    });

    it('has all that the files say which a person meets', () => {
        const known = new Set([...Object.keys(sentences), ...left, ...Object.keys(words)]);
        const files = sources.filter((file) => whole.some((one) => one.test(file)));
        expect(files.length).toBeGreaterThan(60);
        const missing = files.flatMap((file) =>
            refusalsIn(file)
                .filter((english) => !known.has(english))
                .map((english) => `${file}: ${english}`),
        );
        expect(missing).toEqual([]);
    });

    it('uses the values that a sentence has, and no others', () => {
        for (const [english, spanish] of Object.entries(sentences)) {
            const all = english.replaceAll('%%', '').match(/%[-.*\d]*(?:ll|l|z)?[dsu]/g)?.length ?? 0;
            const open = /[.)]$|%[-.*\d]*s$/.test(english) ? 0 : 1;
            for (const [, place] of spanish.matchAll(/(?<!\{)\{(\d)\}/g))
                expect(Number(place), english).toBeLessThanOrEqual(all + open);
        }
    });

    it('has a title for every code of the service', () => {
        const codes = [
            ...readFileSync(resolve(root, 'base/error.h'), 'utf8').matchAll(/X\(\w+, "(\w+)", \d+/g),
        ]
            .map((one) => one[1] ?? '')
            .filter((code) => code !== 'OK');
        expect(codes.length).toBeGreaterThan(20);
        expect(Object.keys(enCommon.codes).sort()).toEqual([...codes, 'UNREACHABLE'].sort());
    });

    it('has a title for every code of a problem of a flow', () => {
        const codes = new Set(
            sources
                .filter((file) => file.startsWith('flow/'))
                .flatMap((file) =>
                    [...read(file).matchAll(/problem_add(?:_fields)?\([^"]*?"([A-Z_]+)"/g)].map(
                        (one) => one[1],
                    ),
                ),
        );
        expect(codes.size).toBeGreaterThan(15);
        expect(Object.keys(enEditor.problemCodes).sort()).toEqual([...codes].sort());
    });
});

describe('a sentence', () => {
    const translate = translator({ sentences, words });
    it.each([
        ['The flow has no nodes; add at least one.', 'El flujo no tiene nodos; añade al menos uno.'],
        [
            'nodes[0].config.url must be a string, not number.',
            'nodes[0].config.url debe ser un texto, no un número.',
        ],
        ['limit must be from 1 to 100.', 'limit debe ser de 1 a 100.'],
        ['name must have 1 to 100 characters.', 'name debe tener de 1 a 100 caracteres.'],
        ['mode must be one of a, b.', 'mode debe ser uno de a, b.'],
        ['node ask: The connection failed: refused.', 'nodo ask: La conexión ha fallado: refused.'],
        ['node stop: No stock left', 'nodo stop: No stock left'],
        ['node code: code is required.', 'nodo code: Falta un valor para code.'],
        ['node api: GET http://x/ answered 404: gone', 'nodo api: GET http://x/ ha respondido 404: gone'],
        [
            'nodes[1].config.message: The expression {{ a has no closing }}; for two plain braces write \\{{.',
            'nodes[1].config.message: La expresión {{ a no tiene su }} de cierre; para dos llaves sin más escribe \\{{.',
        ],
        ['Line 3: boom', 'Línea 3: boom'],
        [
            'url: one of its 2 expressions in JavaScript failed: boom',
            'url: ha fallado una de sus 2 expresiones en JavaScript: boom',
        ],
        [
            'the minute field of the cron expression has "61": the number is out of range; it may be 0 to 59',
            'El campo minuto de la expresión cron tiene «61»: el número está fuera de rango. Puede ser 0 to 59',
        ],
    ])('%s', (english, spanish) => {
        expect(translate(english)).toBe(spanish);
    });
    it('that is not known is left to the page', () => {
        expect(translate('Something else entirely.')).toBeUndefined();
    });
});
