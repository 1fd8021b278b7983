import { QueryClient } from '@tanstack/react-query';
import { ApiError } from '@/lib/api/client';
import { onCatchUp } from '@/lib/live/socket';

export const queries = new QueryClient({
    defaultOptions: {
        queries: {
            staleTime: 5000,
            // What the service refuses it refuses again; what could not be reached is tried until it is.
            retry: (failures, error) => error instanceof ApiError && error.unreachable && failures < 6,
            retryDelay: (attempt) => Math.min(500 * 2 ** attempt, 8000),
            networkMode: 'always',
        },
        mutations: { networkMode: 'always', retry: false },
    },
});

// What was announced while the connection was lost is fetched.
onCatchUp(() => {
    void queries.invalidateQueries();
});
