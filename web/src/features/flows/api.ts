/* Flows over the API. */
import { call } from '@/lib/api/client';
import type { Flow, FlowConnection, FlowNode, FlowSummary, Json, Page } from '@/lib/api/models';

export interface FlowBody {
    name: string;
    description?: string | null;
    nodes: FlowNode[];
    connections: FlowConnection[];
    settings?: Flow['settings'];
    metadata?: Flow['metadata'];
    status?: string;
}

export const listFlows = (
    query: { page: number; limit: number; search: string; status: string },
    signal?: AbortSignal,
): Promise<Page<FlowSummary>> => {
    const parameters = new URLSearchParams({ page: String(query.page), limit: String(query.limit) });
    if (query.search.trim() !== '') parameters.set('search', query.search.trim());
    if (query.status !== '') parameters.set('status', query.status);
    return call('GET', `/api/v1/flows?${parameters.toString()}`, undefined, signal);
};
export const getFlow = (id: string, signal?: AbortSignal): Promise<Flow> =>
    call('GET', `/api/v1/flows/${id}`, undefined, signal);
export const createFlow = (flow: FlowBody): Promise<Flow> => call('POST', '/api/v1/flows', flow);
export const changeFlow = (id: string, changes: Partial<FlowBody>): Promise<Flow> =>
    call('PUT', `/api/v1/flows/${id}`, changes);
export const deleteFlow = (id: string): Promise<unknown> => call('DELETE', `/api/v1/flows/${id}`);

export interface RunOptions {
    input?: Json;
    untilNode?: string;
    triggerNode?: string;
    pins?: Record<string, Record<string, Json>>;
}
export const runFlow = (id: string, options: RunOptions = {}): Promise<{ executionId: string }> =>
    call('POST', `/api/v1/flows/${id}/run`, options);

/** What export writes and import reads: what a flow is, without what the service adds. */
export function exported(flow: Flow): FlowBody {
    const { name, description, nodes, connections, settings, metadata } = flow;
    return {
        name,
        description: description ?? '',
        nodes,
        connections,
        ...(settings !== null && { settings }),
        metadata,
    };
}

export function download(name: string, text: string): void {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
    link.download = name;
    link.click();
    window.setTimeout(() => {
        URL.revokeObjectURL(link.href);
    }, 10_000);
}
