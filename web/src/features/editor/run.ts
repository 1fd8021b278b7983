/* The execution that is watched: asked anew when the feed says that it moved. */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { call } from '@/lib/api/client';
import { isFinal, type ExecutionDetail, type ExecutionLog, type NodeExecution } from '@/lib/api/models';
import { useExecutionFeed } from '@/lib/live/hooks';
import { useEditor, type NodeState } from './store';

const PACE_MS = 250;

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
        if (update.currentNode !== undefined)
            useEditor.setState((s) =>
                s.states[update.currentNode ?? ''] !== undefined && update.nodeStatus === undefined
                    ? s
                    : {
                          states: {
                              ...s.states,
                              [update.currentNode ?? '']: { status: update.nodeStatus ?? 'running' },
                          },
                      },
            );
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
        const states: Record<string, NodeState> = {};
        for (const node of data.nodeExecutions as NodeExecution[])
            states[node.nodeId] = {
                status: node.status,
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
