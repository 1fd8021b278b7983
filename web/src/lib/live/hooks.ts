import { useEffect, useRef } from 'react';
import {
    followExecution,
    followExecutions,
    followSystem,
    type ExecutionUpdate,
    type SystemUpdate,
} from './socket';

/** What happens to one execution, as it happens; null follows none. */
export function useExecutionFeed(
    executionId: string | null,
    onUpdate: (update: ExecutionUpdate) => void,
): void {
    const latest = useRef(onUpdate);
    latest.current = onUpdate;
    useEffect(() => {
        if (executionId === null) return undefined;
        return followExecution(executionId, (update) => {
            latest.current(update);
        });
    }, [executionId]);
}

/** What happens to all executions, gathered: at most one call in `everyMs`, however many hundreds a second there are. */
export function useExecutionsFeed(onUpdates: (updates: ExecutionUpdate[]) => void, everyMs = 400): void {
    const latest = useRef(onUpdates);
    latest.current = onUpdates;
    useEffect(() => {
        let gathered: ExecutionUpdate[] = [];
        let timer: number | undefined;
        const leave = followExecutions((update) => {
            gathered.push(update);
            timer ??= window.setTimeout(() => {
                const batch = gathered;
                gathered = [];
                timer = undefined;
                latest.current(batch);
            }, everyMs);
        });
        return () => {
            leave();
            window.clearTimeout(timer);
        };
    }, [everyMs]);
}

export function useSystemFeed(onUpdate: (update: SystemUpdate) => void): void {
    const latest = useRef(onUpdate);
    latest.current = onUpdate;
    useEffect(
        () =>
            followSystem((update) => {
                latest.current(update);
            }),
        [],
    );
}
