import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { shellRoute } from '@/app/routes';

export interface VariablesSearch {
    kind?: 'variables' | 'secrets';
    flowId?: string | undefined;
}

export const variablesRoute = createRoute({
    getParentRoute: () => shellRoute,
    path: '/variables',
    validateSearch: (found: Record<string, unknown>): VariablesSearch => ({
        ...(found.kind === 'secrets' && { kind: 'secrets' }),
        ...(typeof found.flowId === 'string' && found.flowId !== '' && { flowId: found.flowId }),
    }),
    component: lazyRouteComponent(() => import('./variables-page'), 'VariablesPage'),
});
