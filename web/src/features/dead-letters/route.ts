import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { shellRoute } from '@/app/routes';

export const deadLettersRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/dead-letters',
    component: lazyRouteComponent(() => import('./dead-letters-page'), 'DeadLettersPage'),
});
