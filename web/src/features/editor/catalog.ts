import { useQuery } from '@tanstack/react-query';
import { call } from '@/lib/api/client';
import type { Catalog, NodeType } from './model';

const none: Catalog = new Map();
export function useCatalog(): Catalog {
    const { data } = useQuery({
        queryKey: ['catalog'],
        queryFn: async ({ signal }) =>
            new Map(
                (await call<NodeType[]>('GET', '/api/v1/catalog/metadata', undefined, signal)).map((type) => [
                    type.type,
                    type,
                ]),
            ),
        staleTime: 5 * 60_000,
    });
    return data ?? none;
}
