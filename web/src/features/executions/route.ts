import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { shellRoute } from '@/app/routes';

export interface ExecutionSearch {
    page?: number;
    search?: string;
    status?: string;
    flowId?: string;
    scheduleId?: string;
    since?: string;
}
const text = (value: unknown): string | undefined =>
    typeof value === 'string' && value !== '' ? value : undefined;

export const executionsRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/executions',
    /** The filter is in the address: a list can be kept, sent and gone back to. */
    validateSearch: (found: Record<string, unknown>): ExecutionSearch => {
        const page = Number(found.page);
        return Object.fromEntries(
            Object.entries({
                page: Number.isInteger(page) && page > 1 ? page : undefined,
                search: text(found.search),
                status: text(found.status),
                flowId: text(found.flowId),
                scheduleId: text(found.scheduleId),
                since: text(found.since),
            }).filter(([, value]) => value !== undefined),
        );
    },
    component: lazyRouteComponent(() => import('./executions-page'), 'ExecutionsPage'),
});

export const compareRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/executions/compare',
    validateSearch: (found: Record<string, unknown>): { a: string; b: string } => ({
        a: text(found.a) ?? '',
        b: text(found.b) ?? '',
    }),
    component: lazyRouteComponent(() => import('./compare-page'), 'ComparePage'),
});

export const executionRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/executions/$executionId',
    component: lazyRouteComponent(() => import('./execution-page'), 'ExecutionPage'),
});
