import { expect, it } from 'vitest';
import type { Point } from './data';
import { wrongOf, type Health } from './wrong';

const well: Health = {
    status: 'healthy',
    dependencies: { database: 'healthy', redis: 'healthy' },
    work: { moving: true, waiting: 0, running: 0, workers: 1 },
};
const failing = (success: number, failed: number) => ({
    stepMs: 5000,
    points: [{ at: '2026-01-01T00:00:00.000Z', success, failed } as Point],
});

it('says nothing when all is well, or not known yet', () => {
    expect(wrongOf(well, [{ id: 'w', status: 'online' }], failing(95, 5), 0)).toEqual([]);
    expect(wrongOf(undefined, undefined, undefined, 0)).toEqual([]);
});
it.each([
    ['dependency', { ...well, dependencies: { database: 'unhealthy' } }, [], failing(1, 0), 0],
    ['stuck', { ...well, work: { ...well.work, moving: false } }, [], failing(1, 0), 0],
    ['noWorkers', { ...well, work: { ...well.work, workers: 0 } }, [], failing(1, 0), 0],
    ['worker', well, [{ id: 'w', status: 'offline' }], failing(1, 0), 0],
    ['failures', well, [], failing(8, 2), 0],
    ['deadLetters', well, [], failing(1, 0), 3],
])('says %s', (what, health, workers, timeline, letters) => {
    expect(wrongOf(health, workers, timeline, letters).map((one) => one.what)).toEqual([what]);
});
