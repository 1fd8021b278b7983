/* The execution that is watched: asked anew when the feed says that it moved. */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { call } from '@/lib/api/client';
import { isFinal, type ExecutionDetail, type ExecutionLog, type NodeExecution } from '@/lib/api/models';
import { useExecutionFeed } from '@/lib/live/hooks';
import { useEditor, type NodeState } from './store';

const PACE_MS = 250;

/** A for-each whose items are under way runs, and so does what will be tried again. */
const shown: Record<string, string> = { iterating: 'running', backoff: 'running', aborted: 'cancelled' };
const told = (nodes: Record<string, string>): Record<string, NodeState> =>
    Object.fromEntries(Object.entries(nodes).map(([id, state]) => [id, { status: shown[state] ?? state }]));

export function useRun(executionId: string | null) {
    const detail = useQuery({
        queryKey: ['execution', executionId],
        enabled: executionId !== null,
        queryFn: ({ signal }) =>
            call<ExecutionDetail>(
                'GET',
                `/api/v1/scheduler/executions/${executionId ?? ''}`,
                undefined,
                signal,
            ),
        // The feed says when to ask; this is for what it missed.
        refetchInterval: (query) =>
            query.state.data !== undefined && isFinal(query.state.data.status) ? false : 2000,
    });
    const timer = useRef<number | undefined>(undefined);
    const { refetch } = detail;
    useExecutionFeed(executionId, (update) => {
        const { nodes } = update;
        if (nodes !== undefined) useEditor.setState((s) => ({ states: { ...s.states, ...told(nodes) } }));
        timer.current ??= window.setTimeout(() => {
            timer.current = undefined;
            void refetch();
        }, PACE_MS);
    });
    useEffect(
        () => () => {
            window.clearTimeout(timer.current);
            timer.current = undefined;
        },
        [executionId],
    );
    const data = detail.data;
    useEffect(() => {
        if (data === undefined) return;
        // Of one that goes on more has been told than is stored, and later.
        const live = isFinal(data.status) ? {} : useEditor.getState().states;
        const states: Record<string, NodeState> = { ...live };
        for (const node of data.nodeExecutions as NodeExecution[])
            states[node.nodeId] = {
                status: live[node.nodeId]?.status ?? node.status,
                error: node.errorMessage,
                duration: node.duration,
                ...(node.iterationCount != null && { iterations: node.iterationCount }),
            };
        useEditor.setState({ states });
    }, [data]);
    return detail;
}

export function useLogs(executionId: string | null, nodeId: string, status: string | undefined) {
    return useQuery({
        queryKey: ['execution', executionId, 'logs', nodeId, status],
        enabled: executionId !== null,
        queryFn: ({ signal }) =>
            call<ExecutionLog[]>(
                'GET',
                `/api/v1/scheduler/executions/${executionId ?? ''}/logs?nodeId=${encodeURIComponent(nodeId)}`,
                undefined,
                signal,
            ),
    });
}
