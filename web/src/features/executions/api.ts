/* Executions over the API. */
import { api, call, payload } from '@/lib/api/client';
import type { Execution, ExecutionDetail, ExecutionLog, Json, Page } from '@/lib/api/models';

export interface ExecutionFilter {
    page: number;
    limit: number;
    search?: string | undefined;
    status?: string | undefined;
    flowId?: string | undefined;
    scheduleId?: string | undefined;
    startTimeFrom?: string | undefined;
}

export const listExecutions = (filter: ExecutionFilter, signal?: AbortSignal): Promise<Page<Execution>> => {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(filter))
        if (value !== undefined && value !== '') parameters.set(name, String(value));
    return call('GET', `/api/v1/scheduler/executions?${parameters.toString()}`, undefined, signal);
};

export const getExecution = (id: string, signal?: AbortSignal): Promise<ExecutionDetail> =>
    payload(
        api.GET('/api/v1/scheduler/executions/{id}', {
            params: { path: { id } },
            ...(signal !== undefined && { signal }),
        }),
    );

export const getLogs = (id: string, level: string, signal?: AbortSignal): Promise<ExecutionLog[]> =>
    call(
        'GET',
        `/api/v1/scheduler/executions/${id}/logs${level === '' ? '' : `?level=${level}`}`,
        undefined,
        signal,
    );

export type Control = 'cancel' | 'pause' | 'resume';
export const control = (id: string, verb: Control): Promise<unknown> =>
    call('POST', `/api/v1/scheduler/executions/${id}/${verb}`);
export const retry = (id: string, from: 'failed' | 'whole'): Promise<{ executionId: string }> =>
    call('POST', `/api/v1/scheduler/executions/${id}/retry`, { from });
export const remove = (id: string): Promise<unknown> => call('DELETE', `/api/v1/scheduler/executions/${id}`);

/** Does `work` for each, a few at a time. Says how many were refused, and why the first was. */
export async function forEach(
    ids: string[],
    work: (id: string) => Promise<unknown>,
): Promise<{ done: number; refused: number; why: unknown }> {
    const left = [...ids];
    const result = { done: 0, refused: 0, why: null as unknown };
    const one = async (): Promise<void> => {
        for (let id = left.shift(); id !== undefined; id = left.shift())
            try {
                await work(id);
                result.done += 1;
            } catch (error) {
                result.refused += 1;
                result.why ??= error;
            }
    };
    await Promise.all(Array.from({ length: 6 }, one));
    return result;
}

/** What an execution waits for, where the service says so. */
export type Waiting = ExecutionDetail & { waitingFor?: Json };
