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

export type Together = 'cancel' | 'retry' | 'delete';
export interface Outcome {
    successCount: number;
    failureCount: number;
    errors: { executionId: string; error: string }[];
}
/** Several at once, at most a hundred; each for itself: what was refused is listed. */
export const together = (verb: Together, executionIds: string[]): Promise<Outcome> =>
    call('POST', `/api/v1/scheduler/executions/bulk/${verb}`, { executionIds });

/** Once more, as an execution of its own; without `input` with the same. */
export const rerun = (
    id: string,
    body: { input?: Json; version?: 'newest' | 'same' },
): Promise<{ executionId: string }> => call('POST', `/api/v1/scheduler/executions/${id}/rerun`, body);

/** For one wait; its payload is what the wait gives. */
export const signal = (
    id: string,
    body: { name?: string; nodeId: string; iteration: string; payload?: Json },
): Promise<unknown> => call('POST', `/api/v1/scheduler/executions/${id}/signal`, body);
