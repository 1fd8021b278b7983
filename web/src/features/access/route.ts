import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { shellRoute } from '@/app/routes';

export const accessRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/access',
    component: lazyRouteComponent(() => import('./access-page'), 'AccessPage'),
});
