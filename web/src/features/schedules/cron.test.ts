import { expect, it } from 'vitest';
import { choiceOf, cronOf, usual } from './cron';

it.each(['* * * * *', '*/15 * * * *', '5 * * * *', '30 9 * * *', '0 9 * * 1-5', '0 9 * * 0', '45 23 28 * *'])(
    '%s is what its choice says',
    (expression) => {
        const choice = choiceOf(expression);
        expect(choice.every).not.toBe('custom');
        expect(cronOf(choice)).toBe(expression);
    },
);
it.each(['*/7 * * * *', '0 9 1 * 1', '0 0 L * *', '@daily', '99 9 * * *', '', '0 9 * 1 *', '* * * * * *'])(
    '%s stays an expression',
    (expression) => {
        expect(choiceOf(expression).every).toBe('custom');
    },
);
it('begins with a time of day', () => {
    expect(cronOf(usual)).toBe('0 9 * * *');
});
