/* A flow as it is drawn, and what can be done to it: pure. */
import dagre from '@dagrejs/dagre';
import type { Edge, Node } from '@xyflow/react';
import type { Config, Flow, FlowConnection, FlowNode, Json } from '@/lib/api/models';
import {
    byId,
    crossing,
    frame,
    isContainer,
    ordered,
    placeOf,
    sizeOf,
    smallest,
    withInside,
    type Crossing,
    type Size,
} from './containers';

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
    /** What they are called, in their order. */
    valueTexts?: string[];
    widget?: string;
    group?: string;
    fields?: FieldSpec[];
    pin?: boolean;
}
export const isTrigger = (type: string): boolean => type.endsWith('-trigger');
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

export const noteColors = ['yellow', 'green', 'blue', 'pink', 'grey'] as const;
export type NoteColor = (typeof noteColors)[number];
/** What is drawn: a node, a for-each around others, or (type `note`) a note. */
export type Kind = 'step' | 'each' | 'note';
export interface Drawn extends Record<string, unknown> {
    type: string;
    version: string;
    config: Config;
    text?: string;
    color?: NoteColor;
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

export const kindOf = (type: string): Kind => (isContainer(type) ? 'each' : 'step');
export const isNote = (node: DrawnNode): boolean => node.type === 'note';

export interface Note {
    text: string;
    position: { x: number; y: number };
    size?: Size | null;
    color?: NoteColor | null;
}
const noteSize: Size = { width: 240, height: 140 };
export const noteNode = (id: string, note: Note): DrawnNode => ({
    id,
    type: 'note',
    zIndex: -1,
    position: { x: Number(note.position.x), y: Number(note.position.y) },
    ...(note.size ?? noteSize),
    data: { type: 'note', version: '', config: {}, text: note.text, color: note.color ?? 'yellow' },
});
/** No node of a flow is called that: it is not among the letters that an id may have. */
export function freeNoteId(taken: ReadonlySet<string>): string {
    let n = 1;
    while (taken.has(`note ${String(n)}`)) n++;
    return `note ${String(n)}`;
}

export function drawingOf(
    flow: Pick<Flow, 'nodes' | 'connections'> & Partial<Pick<Flow, 'settings'>>,
): Drawing {
    const places = new Map(
        flow.nodes.map((node) => [
            node.id,
            { x: Number(node.position.x), y: Number(node.position.y), type: node.type, in: node.parentId },
        ]),
    );
    /* What is inside itself is refused by the service, but must not hang the page. */
    const isCircle = (id: string): boolean => {
        const seen = new Set<string>();
        for (let at = places.get(id)?.in; at != null && at !== ''; at = places.get(at)?.in) {
            if (seen.has(at) || at === id) return true;
            seen.add(at);
        }
        return false;
    };
    const nodes = flow.nodes.map(({ id, type, version, config, position, parentId, size }): DrawnNode => {
        const container = places.get(parentId ?? '');
        const inside = container !== undefined && isContainer(container.type) && !isCircle(id);
        return {
            id,
            type: kindOf(type),
            position: {
                x: Number(position.x) - (inside ? container.x : 0),
                y: Number(position.y) - (inside ? container.y : 0),
            },
            ...(inside && { parentId: parentId ?? '' }),
            ...(isContainer(type) && { ...smallest, ...size }),
            data: { type, version, config },
        };
    });
    const notes = (flow.settings?.notes ?? []) as unknown as Note[];
    return {
        nodes: [
            ...notes.map((note, index) => noteNode(`note ${String(index + 1)}`, note)),
            ...ordered(nodes),
        ],
        edges: flow.connections.map(edgeOf),
    };
}

const rounded = ({ x, y }: { x: number; y: number }): { x: number; y: number } => ({
    x: Math.round(x),
    y: Math.round(y),
});
export const notesOf = (nodes: DrawnNode[]): Note[] =>
    nodes.filter(isNote).map((node) => ({
        text: node.data.text ?? '',
        position: rounded(node.position),
        size: { width: Math.round(sizeOf(node).width), height: Math.round(sizeOf(node).height) },
        color: node.data.color ?? 'yellow',
    }));

export function flowOf({ nodes, edges }: Drawing): { nodes: FlowNode[]; connections: FlowConnection[] } {
    const index = byId(nodes);
    return {
        nodes: nodes
            .filter((node) => !isNote(node))
            .map((node) => ({
                id: node.id,
                type: node.data.type,
                version: node.data.version,
                config: node.data.config,
                position: rounded(placeOf(node, index)),
                ...(node.parentId !== undefined && { parentId: node.parentId }),
                ...(isContainer(node.data.type) && {
                    size: { width: Math.round(sizeOf(node).width), height: Math.round(sizeOf(node).height) },
                }),
            })),
        connections: edges.map((edge) => ({
            fromNodeId: edge.source,
            fromOutput: edge.sourceHandle ?? 'output',
            toNodeId: edge.target,
            toInput: edge.targetHandle ?? 'input',
        })),
    };
}

/** Settings of the flow with the notes that are drawn; null when there is nothing in them. */
export function settingsOf(settings: Config | null | undefined, nodes: DrawnNode[]): Config | null {
    const { notes: _former, ...rest } = settings ?? {};
    const notes = notesOf(nodes);
    const all: Config = notes.length === 0 ? rest : { ...rest, notes: notes as unknown as Json };
    return Object.keys(all).length === 0 ? null : all;
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
    isTrigger(type.type) || type.outputs.some((pin) => pin.name === 'error')
        ? type.outputs
        : [...type.outputs, { name: 'error', type: 'object' }];

const typeOfPin = (pins: Pin[], name: string | null | undefined): string =>
    pins.find((pin) => pin.name === name)?.type ?? 'any';

export type Misfit = { reason: 'self' | 'twice' | Crossing } | { reason: 'types'; from: string; to: string };
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
    const index = byId(nodes);
    const crosses = crossing(connection, index);
    if (crosses !== null) return { reason: crosses };
    const typeOf = (id: string): NodeType | undefined => catalog.get(index.get(id)?.data.type ?? '');
    const source = typeOf(connection.source);
    const target = typeOf(connection.target);
    const from = source === undefined ? 'any' : typeOfPin(outputsOf(source), connection.sourceHandle);
    const to = target === undefined ? 'any' : typeOfPin(target.inputs, connection.targetHandle);
    return from === to || from === 'any' || to === 'any' ? null : { reason: 'types', from, to };
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
/** The configuration with `nodes.OLD` in its expressions and scripts called by the new ids. */
export function renamedIn<T extends Json>(value: T, ids: ReadonlyMap<string, string>): T {
    const changed = [...ids].filter(([from, to]) => from !== to);
    if (changed.length === 0) return value;
    const pattern = new RegExp(
        `\\bnodes(?:\\.(${changed.map(([id]) => escaped(id)).join('|')})(?![\\w-])|\\[(["'])(${changed
            .map(([id]) => escaped(id))
            .join('|')})\\2\\])`,
        'g',
    );
    const names = new Map(changed);
    const rename = (json: Json): Json => {
        if (typeof json === 'string')
            return json.replace(
                pattern,
                (_all, dotted: string | undefined, quote: string | undefined, quoted: string | undefined) =>
                    dotted !== undefined
                        ? `nodes.${names.get(dotted) ?? dotted}`
                        : `nodes[${quote ?? '"'}${names.get(quoted ?? '') ?? quoted ?? ''}${quote ?? '"'}]`,
            );
        if (Array.isArray(json)) return json.map(rename);
        if (json !== null && typeof json === 'object')
            return Object.fromEntries(Object.entries(json).map(([key, one]) => [key, rename(one)]));
        return json;
    };
    return rename(value) as T;
}

/** Copies of nodes and the connections among them, with ids of their own; `shift` moves those
 *  that are in no container of the copy. */
export function copyOf(part: Drawing, taken: ReadonlySet<string>, shift: number): Drawing {
    const ids = new Map<string, string>();
    const used = new Set(taken);
    for (const node of part.nodes) {
        const id = isNote(node) ? freeNoteId(used) : freeId(node.data.type, used);
        used.add(id);
        ids.set(node.id, id);
    }
    const renamed = (id: string): string => ids.get(id) ?? id;
    return {
        nodes: ordered(part.nodes).map((node) => {
            const inside = node.parentId !== undefined && ids.has(node.parentId);
            const { width, height, zIndex } = node;
            return {
                id: renamed(node.id),
                type: isNote(node) ? 'note' : kindOf(node.data.type),
                selected: true,
                ...(inside && { parentId: renamed(node.parentId ?? '') }),
                ...(node.type !== 'step' && width !== undefined && { width }),
                ...(node.type !== 'step' && height !== undefined && { height }),
                ...(zIndex !== undefined && { zIndex }),
                position: inside ? node.position : { x: node.position.x + shift, y: node.position.y + shift },
                data: {
                    ...structuredClone(node.data),
                    config: renamedIn(structuredClone(node.data.config), ids),
                },
            };
        }),
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

/** What is chosen, whole: with what is inside, and standing by itself where its container is not part of it. */
export function partOf({ nodes, edges }: Drawing, chosen: ReadonlySet<string>): Drawing {
    const index = byId(nodes);
    const all = withInside(chosen, nodes);
    return {
        nodes: nodes
            .filter((node) => all.has(node.id))
            .map((node) => {
                if (node.parentId === undefined || all.has(node.parentId)) return node;
                const { parentId: _outside, ...rest } = node;
                return { ...rest, position: placeOf(node, index) };
            }),
        edges: edges.filter((edge) => all.has(edge.source) && all.has(edge.target)),
    };
}

function layOut(nodes: DrawnNode[], edges: Edge[]): Map<string, { x: number; y: number }> {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({ rankdir: 'LR', nodesep: 36, ranksep: 90 });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const node of nodes) graph.setNode(node.id, sizeOf(node));
    for (const edge of edges)
        if (graph.hasNode(edge.source) && graph.hasNode(edge.target)) graph.setEdge(edge.source, edge.target);
    dagre.layout(graph);
    return new Map(
        nodes.map((node) => {
            const { x, y, width, height } = graph.node(node.id);
            return [node.id, { x: Math.round(x - width / 2), y: Math.round(y - height / 2) }];
        }),
    );
}

/** Left to right, few crossings; what is inside a container first, so that its size is known. Notes stay. */
export function arranged({ nodes, edges }: Drawing): DrawnNode[] {
    const result = byId(nodes);
    const inside = (parent: string | undefined): DrawnNode[] =>
        [...result.values()].filter((node) => node.parentId === parent && !isNote(node));
    for (const container of [...ordered(nodes)].reverse()) {
        if (!isContainer(container.data.type)) continue;
        const inner = inside(container.id);
        let { width, height } = smallest;
        for (const [id, place] of layOut(inner, edges)) {
            const node = result.get(id);
            if (node === undefined) continue;
            const position = { x: place.x + frame.left + frame.gap, y: place.y + frame.head };
            width = Math.max(width, position.x + sizeOf(node).width + frame.right + frame.gap);
            height = Math.max(height, position.y + sizeOf(node).height + frame.bottom);
            result.set(id, { ...node, position });
        }
        result.set(container.id, { ...(result.get(container.id) ?? container), width, height });
    }
    for (const [id, position] of layOut(inside(undefined), edges)) {
        const node = result.get(id);
        if (node !== undefined) result.set(id, { ...node, position });
    }
    return nodes.map((node) => result.get(node.id) ?? node);
}

export interface Difference {
    added: string[];
    removed: string[];
    changed: string[];
    moved: string[];
}
type Parts = Pick<Flow, 'nodes'> & Partial<Pick<Flow, 'connections'>>;
const keyed = (nodes: FlowNode[]): Map<string, FlowNode> => new Map(nodes.map((node) => [node.id, node]));
/** All but the place on the canvas. */
const meaning = ({ type, config, parentId }: FlowNode): Json => ({
    type,
    config,
    ...(parentId != null && { parentId }),
});
export function differenceOf(from: Parts, to: Parts): Difference {
    const before = keyed(from.nodes);
    const result: Difference = { added: [], removed: [], changed: [], moved: [] };
    for (const node of to.nodes) {
        const former = before.get(node.id);
        before.delete(node.id);
        if (former === undefined) result.added.push(node.id);
        else if (changesOf(meaning(former), meaning(node)).length > 0) result.changed.push(node.id);
        else if (
            Math.round(Number(former.position.x)) !== Math.round(node.position.x) ||
            Math.round(Number(former.position.y)) !== Math.round(node.position.y)
        )
            result.moved.push(node.id);
    }
    result.removed = [...before.keys()];
    return result;
}

export interface Change {
    path: string;
    before: Json | undefined;
    after: Json | undefined;
}
const isPlain = (value: Json | undefined): value is Record<string, Json> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
/** Where two values differ; the order of members means nothing. */
export function changesOf(before: Json | undefined, after: Json | undefined, path = ''): Change[] {
    if (isPlain(before) && isPlain(after))
        return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
            changesOf(before[key], after[key], path === '' ? key : `${path}.${key}`),
        );
    if (Array.isArray(before) && Array.isArray(after) && before.length === after.length)
        return before.flatMap((one, index) => changesOf(one, after[index], `${path}[${String(index)}]`));
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}
export const nodeChanges = (before: FlowNode, after: FlowNode): Change[] =>
    changesOf(meaning(before), meaning(after));

/** The drawing with what the other version had beside it: each node and connection says which it is. */
export function comparedDrawing(
    now: Drawing,
    then: Pick<Flow, 'nodes' | 'connections'>,
    classes: Record<'added' | 'removed' | 'changed', string>,
): Drawing {
    const former = drawingOf(then);
    const difference = differenceOf(then, flowOf(now));
    const [added, changed, removed] = [difference.added, difference.changed, difference.removed].map(
        (ids) => new Set(ids),
    );
    const formerEdges = new Set(former.edges.map((edge) => edge.id));
    const edges = new Set(now.edges.map((edge) => edge.id));
    const ids = new Set(now.nodes.map((node) => node.id));
    return {
        nodes: ordered([
            ...now.nodes.map((node) => {
                const className = added?.has(node.id)
                    ? classes.added
                    : changed?.has(node.id)
                      ? classes.changed
                      : undefined;
                return { ...node, draggable: false, ...(className !== undefined && { className }) };
            }),
            ...former.nodes
                .filter((node) => removed?.has(node.id))
                .map((node) => {
                    const alone =
                        node.parentId !== undefined &&
                        !ids.has(node.parentId) &&
                        !removed?.has(node.parentId);
                    const { parentId: _gone, ...rest } = node;
                    return {
                        ...(alone ? { ...rest, position: placeOf(node, byId(former.nodes)) } : node),
                        className: classes.removed,
                        // The canvas measures only what the drawing has, and hides what has no size.
                        initialWidth: sizeOf(node).width,
                        initialHeight: sizeOf(node).height,
                        draggable: false,
                        selectable: false,
                        connectable: false,
                    };
                }),
        ]),
        edges: [
            ...now.edges.map((edge) =>
                formerEdges.has(edge.id) ? edge : { ...edge, className: classes.added },
            ),
            ...former.edges
                .filter((edge) => !edges.has(edge.id))
                .map((edge) => ({ ...edge, className: classes.removed, selectable: false })),
        ],
    };
}
