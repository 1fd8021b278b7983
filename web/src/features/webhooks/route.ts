import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { shellRoute } from '@/app/routes';

// /webhooks/… starts flows: the page must stand beside it.
export const webhooksRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/hooks',
    component: lazyRouteComponent(() => import('./webhooks-page'), 'WebhooksPage'),
});
