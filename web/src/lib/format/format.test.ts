import { describe, expect, it } from 'vitest';
import { formatsOf } from './format';

describe('formats', () => {
    const { duration, bytes, ago } = formatsOf('en');
    it.each([
        [null, '–'],
        [0, '0 ms'],
        [999, '999 ms'],
        [1500, '1.5 s'],
        [61_000, '1 min 1 s'],
        [3_660_000, '1 h 1 min'],
    ])('%s ms is %s', (ms, text) => {
        expect(duration(ms)).toBe(text);
    });
    it('says sizes', () => {
        expect(bytes(512)).toBe('512 B');
        expect(bytes(25 * 1024 * 1024)).toBe('25 MiB');
    });
    it('says how long ago', () => {
        expect(ago('2026-01-01T00:00:00.000Z', Date.parse('2026-01-01T00:03:00.000Z'))).toMatch(/3 min/);
        expect(ago(0, 500)).toBe('now');
        expect(formatsOf('es').ago(0, 120_000)).toMatch(/hace 2 min/);
    });
});
