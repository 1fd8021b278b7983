/* What the overview shows, asked for every few seconds; the points of the charts are added to those that are there. */
import { useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { call } from '@/lib/api/client';
import type { Schemas } from '@/lib/api/client';

export type Timeline = Schemas['Timeline'];
export type Point = Timeline['points'][number];

const HOUR_MS = 3_600_000;

/** Both, each instant once, the last hour of it. */
export function joined(old: Point[], more: Point[]): Point[] {
    const last = old.at(-1)?.at ?? '';
    const all = [...old, ...more.filter((point) => point.at > last)];
    const end = all.at(-1);
    if (end === undefined) return all;
    const from = Date.parse(end.at) - HOUR_MS;
    return all.filter((point) => Date.parse(point.at) >= from);
}

export function useTimeline(): UseQueryResult<Timeline> {
    const queries = useQueryClient();
    const queryKey = ['timeline'];
    return useQuery({
        queryKey,
        queryFn: async ({ signal }) => {
            const old = queries.getQueryData<Timeline>(queryKey)?.points ?? [];
            const last = old.at(-1);
            const more = await call<Timeline>(
                'GET',
                `/api/v1/monitoring/timeline?minutes=60${last === undefined ? '' : `&after=${encodeURIComponent(last.at)}`}`,
                undefined,
                signal,
            );
            return { ...more, points: joined(old, more.points) };
        },
        refetchInterval: 5000,
    });
}

export interface Summary {
    ended: number;
    perSecond: number;
    /** Of those that ended, 0..100; null: none did. */
    successRate: number | null;
    /** Milliseconds, of the worst step; null: none ended. */
    p95: number | null;
}
export function summaryOf(points: Point[], stepMs: number): Summary {
    const success = points.reduce((sum, point) => sum + point.success, 0);
    const ended = success + points.reduce((sum, point) => sum + point.failed, 0);
    const worst = points.reduce<number | null>(
        (most, { p95 }) => (p95 === null ? most : Math.max(most ?? 0, p95)),
        null,
    );
    return {
        ended,
        perSecond: points.length === 0 ? 0 : ended / ((points.length * stepMs) / 1000),
        successRate: ended === 0 ? null : (success / ended) * 100,
        p95: worst,
    };
}
