import { describe, expect, it } from 'vitest';
import { translator } from '@/lib/said/sentences';
import sentences from '@/lib/said/sentences.es.json';
import words from '@/lib/said/words.es.json';
import type { NodeType } from './model';
import { labelOf, reader } from './problems';

const filter = {
    type: 'data-filter',
    fields: [
        { name: 'data', kind: 'array', label: 'Records' },
        {
            name: 'conditions',
            kind: 'array',
            label: 'Conditions',
            fields: [{ name: 'field', kind: 'string', label: 'Field' }],
        },
    ],
} as unknown as NodeType;
const catalog = new Map([[filter.type, filter]]);
const spanish: Record<string, string> = { Records: 'Registros', Conditions: 'Condiciones', Field: 'Campo' };
const speak = (english: string): string => spanish[english] ?? english;
const read = reader(
    translator({ sentences, words }),
    () => 'data-filter',
    catalog,
    speak,
    (name) => `«${name}»`,
);

describe('a problem of a flow', () => {
    it('is told of the field as the form names it', () => {
        expect(
            read(
                {
                    code: 'MISSING_INPUT',
                    message: 'nodes[3].config.data is required: set it in the configuration or connect it.',
                    nodeId: 'open',
                    field: 'nodes[3].config.data',
                },
                false,
            ),
        ).toEqual({
            code: 'MISSING_INPUT',
            nodeId: 'open',
            text: 'Falta «Registros»: dale un valor en los ajustes o conéctalo.',
            path: 'data',
            bad: false,
        });
    });
    it('in a row is told of the row', () => {
        const { text, path } = read(
            {
                code: 'INVALID_CONFIG',
                message: 'nodes[0].config.conditions[1].field is required.',
                nodeId: 'open',
                field: 'nodes[0].config.conditions[1].field',
            },
            false,
        );
        expect([text, path]).toEqual(['Falta un valor para «Condiciones 2 › Campo».', 'conditions[1].field']);
    });
    it('that has no translation is marked as English', () => {
        expect(read({ code: 'NEW', message: 'Quite new.' }, true)).toEqual({
            code: 'NEW',
            text: 'Quite new.',
            lang: 'en',
            path: '',
            bad: true,
        });
    });
    it('of a field that no form has keeps its name', () => {
        expect(labelOf('a.b[0]', undefined, speak)).toBe('a › b 1');
    });
});
