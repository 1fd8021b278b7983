import { describe, expect, it } from 'vitest';
import { joined, summaryOf, type Point } from './data';

const point = (second: number, success: number, failed = 0, p95: number | null = null): Point => ({
    at: new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString(),
    success,
    failed,
    p50: p95,
    p95,
    p99: p95,
    waiting: 0,
    running: 0,
    workers: 1,
});

describe('the points of the charts', () => {
    it('are added once, however often they are told', () => {
        expect(joined([point(0, 1), point(5, 2)], [point(5, 9), point(10, 3)]).map((p) => p.success)).toEqual(
            [1, 2, 3],
        );
    });
    it('are those of an hour', () => {
        expect(joined([point(0, 1), point(1800, 2)], [point(3700, 3)]).map((p) => p.success)).toEqual([2, 3]);
    });
    it('are summed up', () => {
        expect(summaryOf([point(0, 9, 1, 20), point(5, 0), point(10, 10, 0, 12)], 5000)).toEqual({
            ended: 20,
            perSecond: 20 / 15,
            successRate: 95,
            p95: 20,
        });
    });
    it('say nothing when nothing ended', () => {
        expect(summaryOf([point(0, 0)], 5000)).toEqual({
            ended: 0,
            perSecond: 0,
            successRate: null,
            p95: null,
        });
        expect(summaryOf([], 5000).perSecond).toBe(0);
    });
});
