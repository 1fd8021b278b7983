/* Schedules over the API. */
import { call } from '@/lib/api/client';
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
>;
export const overlaps = ['allow', 'skip', 'queue', 'cancel'] as const;
export const catchUps = ['none', 'last', 'all'] as const;

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
