/* All routes. A feature's pages are in its own chunks: features/<name>/route.ts names them, and loads none. */
import { createRouter } from '@tanstack/react-router';
import { accessRoute } from '@/features/access/route';
import { deadLettersRoute } from '@/features/dead-letters/route';
import { compareRoute, executionRoute, executionsRoute } from '@/features/executions/route';
import { flowRoute, flowsRoute } from '@/features/flows/route';
import { overviewRoute } from '@/features/overview/route';
import { schedulesRoute } from '@/features/schedules/route';
import { settingsRoute } from '@/features/settings/route';
import { variablesRoute } from '@/features/variables/route';
import { webhooksRoute } from '@/features/webhooks/route';
import { workersRoute } from '@/features/workers/route';
import { Loading } from '@/ui/layout';
import { queries } from './queries';
import { rootRoute, shellRoute } from './routes';

const tree = rootRoute.addChildren([
    shellRoute.addChildren([
        overviewRoute,
        flowsRoute,
        flowRoute,
        executionsRoute,
        compareRoute,
        executionRoute,
        schedulesRoute,
        webhooksRoute,
        variablesRoute,
        accessRoute,
        workersRoute,
        deadLettersRoute,
        settingsRoute,
    ]),
]);

export const router = createRouter({
    routeTree: tree,
    context: { queries },
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    defaultPendingComponent: Loading,
    scrollRestoration: true,
});

declare module '@tanstack/react-router' {
    interface Register {
        router: typeof router;
    }
}
