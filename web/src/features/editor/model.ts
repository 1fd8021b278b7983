/* A flow as it is drawn, and what can be done to it: pure. */
import dagre from '@dagrejs/dagre';
import type { Edge, Node } from '@xyflow/react';
import type { Config, Flow, FlowConnection, FlowNode, Json } from '@/lib/api/models';

export interface FieldSpec {
    name: string;
    kind: string;
    label?: string;
    help?: string;
    required?: boolean;
    nullable?: boolean;
    secret?: boolean;
    default?: Json;
    min?: number;
    max?: number;
    values?: string[];
    widget?: string;
    group?: string;
    fields?: FieldSpec[];
    pin?: boolean;
}
export interface Pin {
    name: string;
    type: string;
    required?: boolean | null;
    description?: string | null;
}
export interface NodeType {
    type: string;
    name: string;
    description: string | null;
    version: string;
    category: string;
    inputs: Pin[];
    outputs: Pin[];
    fields?: FieldSpec[];
}
export type Catalog = Map<string, NodeType>;

export interface Drawn extends Record<string, unknown> {
    type: string;
    version: string;
    config: Config;
    parentId?: string | null;
}
export type DrawnNode = Node<Drawn>;
export interface Drawing {
    nodes: DrawnNode[];
    edges: Edge[];
}

export const edgeId = (c: FlowConnection): string =>
    `${c.fromNodeId}.${c.fromOutput}-${c.toNodeId}.${c.toInput}`;
export const edgeOf = (c: FlowConnection): Edge => ({
    id: edgeId(c),
    source: c.fromNodeId,
    sourceHandle: c.fromOutput,
    target: c.toNodeId,
    targetHandle: c.toInput,
});

export function drawingOf(flow: Pick<Flow, 'nodes' | 'connections'>): Drawing {
    return {
        nodes: flow.nodes.map(({ id, type, version, config, position, parentId }) => ({
            id,
            type: 'step',
            position: { x: Number(position.x), y: Number(position.y) },
            data: { type, version, config, ...(parentId != null && { parentId }) },
        })),
        edges: flow.connections.map(edgeOf),
    };
}

export function flowOf({ nodes, edges }: Drawing): { nodes: FlowNode[]; connections: FlowConnection[] } {
    return {
        nodes: nodes.map(({ id, position, data }) => ({
            id,
            type: data.type,
            version: data.version,
            config: data.config,
            position: { x: Math.round(position.x), y: Math.round(position.y) },
            ...(data.parentId != null && { parentId: data.parentId }),
        })),
        connections: edges.map((edge) => ({
            fromNodeId: edge.source,
            fromOutput: edge.sourceHandle ?? 'output',
            toNodeId: edge.target,
            toInput: edge.targetHandle ?? 'input',
        })),
    };
}

/** The node type's name, numbered when it is taken. */
export function freeId(type: string, taken: ReadonlySet<string>): string {
    if (!taken.has(type)) return type;
    let n = 2;
    while (taken.has(`${type}-${String(n)}`)) n++;
    return `${type}-${String(n)}`;
}

/** What a new node is set to: the defaults of what it needs. */
export function freshConfig(type: NodeType): Config {
    const config: Config = {};
    for (const field of type.fields ?? [])
        if (field.required === true && field.default !== undefined) config[field.name] = field.default;
    return config;
}

export const outputsOf = (type: NodeType): Pin[] =>
    type.type.endsWith('-trigger') || type.outputs.some((pin) => pin.name === 'error')
        ? type.outputs
        : [...type.outputs, { name: 'error', type: 'object' }];

const typeOfPin = (pins: Pin[], name: string | null | undefined): string =>
    pins.find((pin) => pin.name === name)?.type ?? 'any';

export type Misfit = { reason: 'self' | 'twice' } | { reason: 'types'; from: string; to: string };
/** null: the connection fits. */
export function misfit(
    connection: {
        source: string;
        target: string;
        sourceHandle?: string | null;
        targetHandle?: string | null;
    },
    { nodes, edges }: Drawing,
    catalog: Catalog,
): Misfit | null {
    if (connection.source === connection.target) return { reason: 'self' };
    if (
        edges.some(
            (edge) =>
                edge.source === connection.source &&
                edge.target === connection.target &&
                edge.sourceHandle === connection.sourceHandle &&
                edge.targetHandle === connection.targetHandle,
        )
    )
        return { reason: 'twice' };
    const typeOf = (id: string): NodeType | undefined =>
        catalog.get(nodes.find((node) => node.id === id)?.data.type ?? '');
    const source = typeOf(connection.source);
    const target = typeOf(connection.target);
    const from = source === undefined ? 'any' : typeOfPin(outputsOf(source), connection.sourceHandle);
    const to = target === undefined ? 'any' : typeOfPin(target.inputs, connection.targetHandle);
    return from === to || from === 'any' || to === 'any' ? null : { reason: 'types', from, to };
}

/** Copies of nodes and the connections among them, with ids of their own. */
export function copyOf(part: Drawing, taken: ReadonlySet<string>, shift: number): Drawing {
    const ids = new Map<string, string>();
    const used = new Set(taken);
    for (const node of part.nodes) {
        const id = freeId(node.data.type, used);
        used.add(id);
        ids.set(node.id, id);
    }
    const renamed = (id: string): string => ids.get(id) ?? id;
    return {
        nodes: part.nodes.map((node) => ({
            id: renamed(node.id),
            type: 'step',
            selected: true,
            position: { x: node.position.x + shift, y: node.position.y + shift },
            data: structuredClone(node.data),
        })),
        edges: part.edges
            .filter((edge) => ids.has(edge.source) && ids.has(edge.target))
            .map((edge) =>
                edgeOf({
                    fromNodeId: renamed(edge.source),
                    fromOutput: edge.sourceHandle ?? 'output',
                    toNodeId: renamed(edge.target),
                    toInput: edge.targetHandle ?? 'input',
                }),
            ),
    };
}

/** Left to right, few crossings. */
export function arranged({ nodes, edges }: Drawing): DrawnNode[] {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({ rankdir: 'LR', nodesep: 36, ranksep: 90 });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const node of nodes)
        graph.setNode(node.id, { width: node.measured?.width ?? 220, height: node.measured?.height ?? 90 });
    for (const edge of edges) graph.setEdge(edge.source, edge.target);
    dagre.layout(graph);
    return nodes.map((node) => {
        const { x, y, width, height } = graph.node(node.id);
        return { ...node, position: { x: Math.round(x - width / 2), y: Math.round(y - height / 2) } };
    });
}

export interface Difference {
    added: string[];
    removed: string[];
    changed: string[];
    moved: string[];
}
export function differenceOf(from: Pick<Flow, 'nodes'>, to: Pick<Flow, 'nodes'>): Difference {
    const before = new Map(from.nodes.map((node) => [node.id, node]));
    const result: Difference = { added: [], removed: [], changed: [], moved: [] };
    for (const node of to.nodes) {
        const former = before.get(node.id);
        before.delete(node.id);
        if (former === undefined) result.added.push(node.id);
        else if (former.type !== node.type || JSON.stringify(former.config) !== JSON.stringify(node.config))
            result.changed.push(node.id);
        else if (former.position.x !== node.position.x || former.position.y !== node.position.y)
            result.moved.push(node.id);
    }
    result.removed = [...before.keys()];
    return result;
}
