/* The routes that every feature hangs its own on. */
import { createRootRouteWithContext, createRoute } from '@tanstack/react-router';
import type { QueryClient } from '@tanstack/react-query';
import { NotFound, NotFoundAnywhere, PageFailed } from './failures';
import { Shell } from './shell';

export const rootRoute = createRootRouteWithContext<{ queries: QueryClient }>()({
    notFoundComponent: NotFoundAnywhere,
    errorComponent: PageFailed,
});

/** Within the navigation. */
export const shellRoute = createRoute({
    getParentRoute: () => rootRoute,
    id: 'shell',
    component: Shell,
    errorComponent: PageFailed,
    notFoundComponent: NotFound,
});
