/* A list of executions that follows what happens and still can be read: states change in the rows that are shown as
   they are told; rows come and go only while few do, and nobody points at them. Otherwise what is newer is counted. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { isFinal, type Execution, type Page } from '@/lib/api/models';
import { useExecutionsFeed } from '@/lib/live/hooks';
import type { ExecutionUpdate } from '@/lib/live/socket';
import type { ExecutionSearch } from './route';

const AGAIN_MS = 1500;
/** So many new ones between two looks are more than a person can follow. */
const MANY = 12;
const MOST = 100_000;

/** The row as the updates leave it; what is final stays what it is. */
export function told(row: Execution, update: ExecutionUpdate | undefined): Execution {
    if (update === undefined || isFinal(row.status)) return row;
    const changed = { ...row, status: update.status as Execution['status'] };
    if (!isFinal(update.status) || update.timestamp === undefined) return changed;
    return {
        ...changed,
        endTime: update.timestamp,
        duration: Math.max(0, Date.parse(update.timestamp) - Date.parse(row.startTime)),
        recordsProcessed: update.recordsProcessed ?? row.recordsProcessed,
    };
}

export function useLiveRows(
    key: readonly [string, ExecutionSearch],
    held: boolean,
): { count: number; show: () => void } {
    const queries = useQueryClient();
    const [count, setCount] = useState(0);
    const unseen = useRef(new Set<string>());
    const seenBefore = useRef(new Set<string>());
    const timer = useRef<number | undefined>(undefined);
    const isHeld = useRef(held);
    isHeld.current = held;
    const show = (): void => {
        // What was told of before the answer is in it, or on another page.
        for (const id of unseen.current) seenBefore.current.add(id);
        if (seenBefore.current.size > MOST) seenBefore.current.clear();
        unseen.current.clear();
        setCount(0);
        void queries.invalidateQueries({ queryKey: key });
    };
    useEffect(() => {
        unseen.current.clear();
        seenBefore.current.clear();
        setCount(0);
        return () => {
            window.clearTimeout(timer.current);
            timer.current = undefined;
        };
    }, [key]);
    // Let go of, the list follows again.
    useEffect(() => {
        if (!held && unseen.current.size > 0 && unseen.current.size <= MANY) show();
        // eslint-disable-next-line react-hooks/exhaustive-deps -- when it is let go of, not when `show` is another
    }, [held]);
    useExecutionsFeed((updates) => {
        const latest = new Map(updates.map((update) => [update.executionId, update]));
        const page = queries.getQueryData<Page<Execution>>(key);
        if (page === undefined) return;
        const shown = new Set(page.data.map((row) => row.id));
        if (updates.some((update) => shown.has(update.executionId)))
            queries.setQueryData<Page<Execution>>(key, {
                ...page,
                data: page.data.map((row) => told(row, latest.get(row.id))),
            });
        const before = unseen.current.size;
        for (const { executionId, flowId } of updates)
            if (
                unseen.current.size < MOST &&
                !shown.has(executionId) &&
                !seenBefore.current.has(executionId) &&
                (key[1].flowId === undefined || flowId === undefined || flowId === key[1].flowId)
            )
                unseen.current.add(executionId);
        if (unseen.current.size === before) return;
        timer.current ??= window.setTimeout(() => {
            timer.current = undefined;
            if (isHeld.current || unseen.current.size > MANY) setCount(unseen.current.size);
            else show();
        }, AGAIN_MS);
    });
    return { count, show };
}
