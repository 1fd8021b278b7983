import { expect, it } from 'vitest';
import { textOf, valueOf } from './value-dialog';

it.each(['Madrid', '5', 5, true, null, '', [1, 2], { a: 'b' }, '{"a": 1}', ' x '])(
    '%j stays what it is',
    (value) => {
        expect(valueOf(textOf(value))).toEqual(value);
    },
);
it('takes what is no JSON as text', () => {
    expect(valueOf('https://example.org')).toBe('https://example.org');
    expect(valueOf('{"a": 1}')).toEqual({ a: 1 });
});
