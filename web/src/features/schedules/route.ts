import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { shellRoute } from '@/app/routes';

export const schedulesRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/schedules',
    component: lazyRouteComponent(() => import('./schedules-page'), 'SchedulesPage'),
});
