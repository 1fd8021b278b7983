/* What the expressions of one node can name, for completion and preview. */
import { useQuery } from '@tanstack/react-query';
import { createContext, useContext, useMemo } from 'react';
import { call } from '@/lib/api/client';
import type { ExecutionDetail, Json } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { useCatalog } from './catalog';
import type { Helper, Known } from './completion';
import { outputsOf } from './model';
import { useEditor } from './store';

export interface Place {
    flowId: string | undefined;
    nodeId: string;
    execution: ExecutionDetail | undefined;
}
/** Where the form stands; null: there is nothing to preview. */
export const PlaceContext = createContext<Place | null>(null);

interface Named {
    name: string;
}
/** The names of what is there for all and for this flow; who may not see them does without. */
function useNames(what: 'variables' | 'secrets', flowId: string | undefined): string[] {
    const may = useMay('editor');
    const { data } = useQuery({
        queryKey: ['editor', what, flowId],
        enabled: may,
        staleTime: 60_000,
        retry: false,
        queryFn: async ({ signal }) => {
            const lists = await Promise.all(
                [`/api/v1/${what}`, ...(flowId === undefined ? [] : [`/api/v1/flows/${flowId}/${what}`])].map(
                    (path) => call<Named[] | { data: Named[] }>('GET', path, undefined, signal),
                ),
            );
            const names = lists.flatMap((list) => (Array.isArray(list) ? list : list.data));
            return [...new Set(names.map(({ name }) => name))].sort();
        },
    });
    return data ?? [];
}

export function useKnown(): Known {
    const place = useContext(PlaceContext);
    const catalog = useCatalog();
    const ids = useEditor((s) =>
        s.nodes
            .filter((node) => node.type !== 'note' && node.id !== place?.nodeId)
            .map((node) => `${node.id}\t${node.data.type}`)
            .join('\n'),
    );
    const variables = useNames('variables', place?.flowId);
    const secrets = useNames('secrets', place?.flowId);
    const helpers = useQuery({
        queryKey: ['expressions', 'helpers'],
        staleTime: Infinity,
        retry: false,
        queryFn: ({ signal }) => call<Helper[]>('GET', '/api/v1/expressions/helpers', undefined, signal),
    });
    const ran = place?.execution?.nodeExecutions;
    const nodeId = place?.nodeId;
    return useMemo(() => {
        const nodes: Record<string, string[]> = {};
        for (const line of ids.split('\n').filter(Boolean)) {
            const [id = '', type = ''] = line.split('\t');
            const known = catalog.get(type);
            nodes[id] = known === undefined ? [] : outputsOf(known).map((pin) => pin.name);
        }
        const outputs: Record<string, Json> = {};
        for (const one of ran ?? []) outputs[one.nodeId] = (one.output ?? null) as Json;
        const own = ran?.find((one) => one.nodeId === nodeId)?.input as Json | undefined;
        return { helpers: helpers.data ?? [], nodes, variables, secrets, outputs, input: own };
    }, [ids, catalog, helpers.data, variables, secrets, ran, nodeId]);
}

export interface Evaluation {
    value?: Json;
    type?: string;
    error?: string;
}
/** What the text gives on the last run's data; null: nothing to ask, or not yet. */
export function useEvaluation(expression: string) {
    const place = useContext(PlaceContext);
    const may = useMay('editor');
    return useQuery({
        queryKey: ['evaluate', expression, place?.execution?.id, place?.flowId, place?.nodeId],
        enabled: may && place !== null && expression.includes('{{') && expression.length <= 16_384,
        gcTime: 60_000,
        staleTime: 10_000,
        retry: false,
        queryFn: ({ signal }) =>
            call<Evaluation>(
                'POST',
                '/api/v1/expressions/evaluate',
                {
                    expression,
                    nodeId: place?.nodeId,
                    ...(place?.execution !== undefined
                        ? { executionId: place.execution.id }
                        : place?.flowId !== undefined && { flowId: place.flowId }),
                },
                signal,
            ),
    });
}
