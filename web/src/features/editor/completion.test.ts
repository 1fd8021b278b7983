import { describe, expect, it } from 'vitest';
import { inExpression, optionsAt, pathBefore, type Known } from './completion';

const known: Known = {
    helpers: [
        { name: '$date.add', kind: 'function', signature: '$date.add(date, n, unit)' },
        { name: 'input', kind: 'name', help: 'What reached the node.' },
    ],
    nodes: { http: ['body', 'error'], 'a b': ['output'] },
    variables: ['region'],
    secrets: ['token'],
    input: { user: { name: 'Ana', tags: [1] } },
    outputs: { http: { body: { rows: [{ id: 1 }] } } },
};
const labels = (text: string) => {
    const path = pathBefore(text);
    return path === null ? null : optionsAt(path, known).map((option) => option.label);
};

describe('completion', () => {
    it('begins with the names and helpers', () => {
        expect(labels('x + in')).toEqual(expect.arrayContaining(['input', 'nodes', 'secrets', '$date']));
        expect(pathBefore('x + in')).toMatchObject({ typed: 'in', from: 4 });
    });
    it('goes into the last run', () => {
        expect(labels('input.')).toEqual(['user']);
        expect(labels('input.user.')).toEqual(['name', 'tags']);
        expect(labels('input.user?.na')).toEqual(['name', 'tags']);
        expect(labels('nodes.http.')).toEqual(['body', 'error']);
        expect(labels('nodes.http.body.rows[0].')).toEqual(['id']);
        expect(labels('nodes["http"].body.')).toEqual(['rows']);
    });
    it('knows nodes, variables, secrets and the members of helpers', () => {
        expect(labels('nodes.')).toEqual(['http', 'a b']);
        expect(optionsAt({ root: 'nodes', steps: [], typed: '', from: 0 }, known)[1]?.apply).toBe('["a b"]');
        expect(labels('variables.')).toEqual(['region']);
        expect(labels('secrets.t')).toEqual(['token']);
        expect(labels('$date.')).toEqual(['add']);
    });
    it('is offered between braces', () => {
        expect(inExpression('a {{ b }} c', 6)).toBe(true);
        expect(inExpression('a {{ b }} c', 10)).toBe(false);
        expect(inExpression('a \\{{ b', 7)).toBe(false);
        expect(inExpression('{{ b', 4)).toBe(true);
    });
});
