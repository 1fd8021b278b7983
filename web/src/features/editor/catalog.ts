import { useQuery } from '@tanstack/react-query';
import { call } from '@/lib/api/client';
import { isTrigger, type Catalog, type NodeType } from './model';

const none: Catalog = new Map();
export function useCatalog(): Catalog {
    const { data } = useQuery({
        queryKey: ['catalog'],
        queryFn: async ({ signal }) =>
            new Map(
                (await call<NodeType[]>('GET', '/api/v1/catalog/metadata', undefined, signal)).map((type) => [
                    type.type,
                    // What a trigger is given comes from what starts it: nothing is connected to it.
                    isTrigger(type.type) ? { ...type, inputs: [] } : type,
                ]),
            ),
        staleTime: 5 * 60_000,
    });
    return data ?? none;
}
