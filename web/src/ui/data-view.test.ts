import { describe, expect, it } from 'vitest';
import { rowsOf } from './data-view';

describe('rowsOf', () => {
    it('takes a list of objects', () => {
        expect(rowsOf([{ a: 1 }, { b: 2 }])).toEqual([{ a: 1 }, { b: 2 }]);
    });
    it('finds the only list of an output', () => {
        expect(rowsOf({ filtered: [{ a: 1 }], filtered_count: 1 })).toEqual([{ a: 1 }]);
    });
    it('makes no table of what is none', () => {
        for (const value of [null, 1, 'a', {}, [], [1, 2], [{ a: 1 }, 2], { a: [{}], b: [{}] }])
            expect(rowsOf(value)).toBeNull();
    });
});
