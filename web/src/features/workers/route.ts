import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { shellRoute } from '@/app/routes';

export const workersRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/workers',
    component: lazyRouteComponent(() => import('./workers-page'), 'WorkersPage'),
});
