/* Schedules over the API. */
import { call, type Schemas } from '@/lib/api/client';
import type { Page } from '@/lib/api/models';

export interface Schedule {
    id: string;
    flowId: string;
    name: string;
    description: string | null;
    cronExpression: string;
    timezone: string;
    enabled: boolean;
    maxRetries: number;
    retryDelay: number;
    overlap: string;
    catchUp: string;
    catchUpWindow: number | null;
    lastRun: string | null;
    nextRun: string | null;
}
export type ScheduleBody = Pick<
    Schedule,
    | 'flowId'
    | 'name'
    | 'cronExpression'
    | 'timezone'
    | 'enabled'
    | 'maxRetries'
    | 'retryDelay'
    | 'overlap'
    | 'catchUp'
    | 'catchUpWindow'
>;
export const overlaps = ['allow', 'skip', 'queue', 'cancel'] as const;
export const catchUps = ['none', 'last', 'all'] as const;

export type Instant = Schemas['ScheduleInstant'];
export type Backfill = Schemas['Backfill'];

const base = '/api/v1/scheduler/schedules';
export const listSchedules = (
    query: { page: number; limit: number; search: string; enabled: string },
    signal?: AbortSignal,
): Promise<Page<Schedule>> => {
    const parameters = new URLSearchParams({ page: String(query.page), limit: String(query.limit) });
    if (query.search.trim() !== '') parameters.set('search', query.search.trim());
    if (query.enabled !== '') parameters.set('enabled', query.enabled);
    return call('GET', `${base}?${parameters.toString()}`, undefined, signal);
};
export const createSchedule = (body: ScheduleBody): Promise<Schedule> => call('POST', base, body);
export const changeSchedule = (id: string, body: Partial<ScheduleBody>): Promise<Schedule> =>
    call('PUT', `${base}/${id}`, body);
export const deleteSchedule = (id: string): Promise<unknown> => call('DELETE', `${base}/${id}`);
export const switchSchedule = (id: string, on: boolean): Promise<Schedule> =>
    call('POST', `${base}/${id}/${on ? 'enable' : 'disable'}`);
export const fireSchedule = (id: string): Promise<{ executionId: string }> =>
    call('POST', `${base}/${id}/execute`);
export const previewSchedule = (
    cronExpression: string,
    timezone: string,
    signal?: AbortSignal,
): Promise<{ nextRuns: string[] }> =>
    call('POST', `${base}/preview`, { cronExpression, timezone, count: 5 }, signal);

/** The next ones; of one that is off, those it would have. */
export const nextInstants = async (id: string, count: number, signal?: AbortSignal): Promise<string[]> =>
    (
        await call<{ nextRuns: string[] }>(
            'GET',
            `${base}/${id}/next?count=${String(count)}`,
            undefined,
            signal,
        )
    ).nextRuns;
/** What became of those that are past, newest first. */
export const listInstants = (
    id: string,
    page: number,
    limit: number,
    signal?: AbortSignal,
): Promise<Page<Instant>> =>
    call('GET', `${base}/${id}/instants?page=${String(page)}&limit=${String(limit)}`, undefined, signal);
export const listBackfills = (id: string, signal?: AbortSignal): Promise<Backfill[]> =>
    call('GET', `${base}/${id}/backfills`, undefined, signal);
export const backfill = (
    id: string,
    body: { from: string; to: string; concurrency: number },
): Promise<Backfill> => call('POST', `${base}/${id}/backfill`, body);
export const cancelBackfill = (id: string, backfillId: string): Promise<unknown> =>
    call('POST', `${base}/${id}/backfills/${backfillId}/cancel`);
