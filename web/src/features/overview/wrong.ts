/* What is wrong now, as a list of things a person can do something about. */
import { useQuery } from '@tanstack/react-query';
import { call } from '@/lib/api/client';
import type { Page } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { summaryOf, type Timeline } from './data';

export interface Health {
    status: string;
    dependencies: Record<string, string>;
    work: { moving: boolean; waiting: number; running: number; workers: number };
}
interface Worker {
    id: string;
    status: string;
}
export interface Wrong {
    /** Of `wrong` in the texts. */
    what: 'dependency' | 'stuck' | 'noWorkers' | 'worker' | 'failures' | 'deadLetters';
    tone: 'bad' | 'warn';
    to: '/settings' | '/workers' | '/executions' | '/dead-letters';
    search?: { status: string };
    values: Record<string, string | number>;
}

/** More of them fail than the plan's rollback allows. */
const FAILURES = 10;
const RECENT = 60; // steps: five minutes

export function wrongOf(
    health: Health | undefined,
    workers: Worker[] | undefined,
    timeline: Timeline | undefined,
    letters: number,
): Wrong[] {
    const wrong: Wrong[] = [];
    for (const [name, status] of Object.entries(health?.dependencies ?? {}))
        if (status === 'unhealthy')
            wrong.push({ what: 'dependency', tone: 'bad', to: '/settings', values: { name } });
    if (health?.work.moving === false)
        wrong.push({
            what: 'stuck',
            tone: 'bad',
            to: '/executions',
            values: { waiting: health.work.waiting },
        });
    if (health?.work.workers === 0)
        wrong.push({ what: 'noWorkers', tone: 'bad', to: '/workers', values: {} });
    for (const worker of workers ?? [])
        if (worker.status === 'unhealthy' || worker.status === 'offline')
            wrong.push({ what: 'worker', tone: 'warn', to: '/workers', values: { ...worker } });
    const recent = summaryOf(timeline?.points.slice(-RECENT) ?? [], timeline?.stepMs ?? 5000);
    if (recent.ended > 0 && recent.successRate !== null && recent.successRate < 100 - FAILURES)
        wrong.push({
            what: 'failures',
            tone: 'warn',
            to: '/executions',
            search: { status: 'failed' },
            values: { rate: 100 - recent.successRate },
        });
    if (letters > 0)
        wrong.push({ what: 'deadLetters', tone: 'warn', to: '/dead-letters', values: { count: letters } });
    return wrong;
}

export function useWrong(timeline: Timeline | undefined): { known: boolean; wrong: Wrong[] } {
    const operator = useMay('operator');
    const health = useQuery({
        queryKey: ['health'],
        queryFn: ({ signal }) => call<Health>('GET', '/api/v1/health', undefined, signal),
        refetchInterval: 5000,
    });
    const workers = useQuery({
        queryKey: ['workers'],
        queryFn: ({ signal }) => call<Worker[]>('GET', '/api/v1/workers', undefined, signal),
        refetchInterval: 5000,
    });
    const letters = useQuery({
        queryKey: ['dead-letters', 'open', 'count'],
        queryFn: ({ signal }) =>
            call<Page<unknown>>('GET', '/api/v1/dead-letters?status=open&limit=1', undefined, signal),
        refetchInterval: 15_000,
        enabled: operator,
    });
    return {
        known: health.isSuccess,
        wrong: wrongOf(health.data, workers.data, timeline, letters.data?.pagination.total ?? 0),
    };
}
