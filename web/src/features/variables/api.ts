/* Variables and secrets over the API: of all flows, or of one. */
import { listFlows, getFlow } from '@/features/flows/api';
import { call, type Schemas } from '@/lib/api/client';
import type { Json } from '@/lib/api/models';

export type Kind = 'variables' | 'secrets';
export type Secret = Schemas['Secret'];
export type Variable = Omit<Schemas['Variable'], 'value'> & { value: Json };
export type Rotation = Schemas['Rotation'];

/** How the texts name them. */
export const examples = { variable: '{{ variables.NAME }}', secret: '{{ secrets.NAME }}' };

/** flowId '': those of all flows. */
const base = (kind: Kind, flowId: string): string =>
    flowId === '' ? `/api/v1/${kind}` : `/api/v1/flows/${flowId}/${kind}`;

export const listOf = <T>(kind: Kind, flowId: string, signal?: AbortSignal): Promise<T[]> =>
    call('GET', base(kind, flowId), undefined, signal);
export const createOne = (
    kind: Kind,
    flowId: string,
    body: { name: string; value: Json; description: string | null },
): Promise<unknown> => call('POST', base(kind, flowId), body);
export const changeOne = (
    kind: Kind,
    flowId: string,
    name: string,
    body: { value: Json; description: string | null },
): Promise<unknown> => call('PUT', `${base(kind, flowId)}/${name}`, body);
export const deleteOne = (kind: Kind, flowId: string, name: string): Promise<unknown> =>
    call('DELETE', `${base(kind, flowId)}/${name}`);
/** Goes on where one call's time was over. */
export async function rotate(): Promise<Rotation> {
    let resealed = 0;
    for (;;) {
        const answer = await call<Rotation>('POST', '/api/v1/secrets/rotate');
        resealed += answer.resealed;
        // One that seals nothing and is not done would be asked for ever.
        if (answer.done || answer.resealed === 0) return { ...answer, resealed };
    }
}

export interface Use {
    flowId: string;
    flowName: string;
    nodes: string[];
}
/** The nodes whose settings name it, as `variables.NAME` or `variables["NAME"]`. */
export function usesIn(
    nodes: readonly { id: string; config: unknown }[],
    kind: Kind,
    name: string,
): string[] {
    const named = new RegExp(`\\b${kind}\\s*(?:\\.\\s*${name}\\b|\\[\\s*\\\\?["']${name}\\\\?["']\\s*\\])`);
    return nodes.filter((node) => named.test(JSON.stringify(node.config))).map((node) => node.id);
}
/** Looks through the flows: of one of them, or of all (the newest hundred). */
export async function whereUsed(
    kind: Kind,
    flowId: string,
    name: string,
    signal?: AbortSignal,
): Promise<Use[]> {
    const ids =
        flowId !== ''
            ? [flowId]
            : (await listFlows({ page: 1, limit: 100, search: '', status: '' }, signal)).data.map(
                  (flow) => flow.id,
              );
    const uses: Use[] = [];
    for (const id of ids) {
        const flow = await getFlow(id, signal);
        const nodes = usesIn(flow.nodes, kind, name);
        if (nodes.length > 0) uses.push({ flowId: id, flowName: flow.name, nodes });
    }
    return uses;
}
