/* The expressions that people mean most, as choices; anything else stays an expression. */
export type Every = 'minutes' | 'hour' | 'day' | 'weekdays' | 'week' | 'month' | 'custom';
export interface Choice {
    every: Every;
    /** Of `minutes`: how many. */
    step: number;
    minute: number;
    hour: number;
    weekday: number;
    day: number;
}
export const usual: Choice = { every: 'day', step: 15, minute: 0, hour: 9, weekday: 1, day: 1 };
export const steps = [1, 2, 5, 10, 15, 20, 30] as const;

export function cronOf(choice: Choice): string | null {
    const { minute, hour, weekday, day, step } = choice;
    const at = `${String(minute)} ${String(hour)}`;
    switch (choice.every) {
        case 'minutes':
            return step === 1 ? '* * * * *' : `*/${String(step)} * * * *`;
        case 'hour':
            return `${String(minute)} * * * *`;
        case 'day':
            return `${at} * * *`;
        case 'weekdays':
            return `${at} * * 1-5`;
        case 'week':
            return `${at} * * ${String(weekday)}`;
        case 'month':
            return `${at} ${String(day)} * *`;
        case 'custom':
            return null;
    }
}

/** What the choices say for an expression; `custom` when they cannot. */
export function choiceOf(expression: string): Choice {
    const text = expression.trim().replace(/\s+/g, ' ');
    const found =
        /^(?:\*|\*\/(\d+)) \* \* \* \*$/.exec(text) ??
        /^()(\d+) \* \* \* \*$/.exec(text) ??
        /^()(\d+) (\d+) (\*|\d+) \* (\*|1-5|[0-6])$/.exec(text);
    if (found === null) return { ...usual, every: 'custom' };
    const [, step, minute, hour, day, weekday] = found;
    if (minute === undefined) {
        const each = step === undefined ? 1 : Number(step);
        return steps.some((one) => one === each)
            ? { ...usual, every: 'minutes', step: each }
            : { ...usual, every: 'custom' };
    }
    if (Number(minute) > 59 || Number(hour ?? 0) > 23) return { ...usual, every: 'custom' };
    if (hour === undefined) return { ...usual, every: 'hour', minute: Number(minute) };
    const at = { ...usual, minute: Number(minute), hour: Number(hour) };
    if (day !== '*')
        return weekday === '*' ? { ...at, every: 'month', day: Number(day) } : { ...at, every: 'custom' };
    if (weekday === '*') return { ...at, every: 'day' };
    return weekday === '1-5'
        ? { ...at, every: 'weekdays' }
        : { ...at, every: 'week', weekday: Number(weekday) };
}
