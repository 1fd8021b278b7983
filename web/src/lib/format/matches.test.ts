import { describe, expect, it } from 'vitest';
import { matches } from './matches';

describe('search', () => {
    it('finds words in any order, without accents or capitals', () => {
        expect(matches('Programaciones', 'progra')).toBe(true);
        expect(matches('Nuevo flujo número dos', 'dos numero')).toBe(true);
        expect(matches('Flows', 'flowsx')).toBe(false);
        expect(matches('Anything', '')).toBe(true);
    });
});
