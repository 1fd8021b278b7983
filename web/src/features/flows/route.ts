import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { shellRoute } from '@/app/routes';

export const flowsRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/flows',
    component: lazyRouteComponent(() => import('./flows-page'), 'FlowsPage'),
});

/** flowId `new`: a flow that is not saved yet. */
export const flowRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/flows/$flowId',
    component: lazyRouteComponent(() => import('../editor/editor-page'), 'EditorPage'),
});
