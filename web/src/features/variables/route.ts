import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { shellRoute } from '@/app/routes';

export const variablesRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/variables',
    component: lazyRouteComponent(() => import('./variables-page'), 'VariablesPage'),
});
