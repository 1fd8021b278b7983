import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { shellRoute } from '@/app/routes';

export const executionsRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/executions',
    component: lazyRouteComponent(() => import('./executions-page'), 'ExecutionsPage'),
});

export const executionRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/executions/$executionId',
    component: lazyRouteComponent(() => import('./execution-page'), 'ExecutionPage'),
});
