/* The open drawing with its past: each change can be undone. */
import type { NodeProblem } from './problems';
import { applyEdgeChanges, applyNodeChanges, type EdgeChange, type NodeChange } from '@xyflow/react';
import { create } from 'zustand';
import type { Config, Flow, FlowConnection, Json } from '@/lib/api/models';
import {
    backEdges,
    byId,
    containerAt,
    fitted,
    isContainer,
    moved,
    ordered,
    placeOf,
    sizeOf,
    smallest,
    withInside,
    type Point,
} from './containers';
import {
    arranged,
    isTrigger,
    copyOf,
    drawingOf,
    edgeId,
    edgeOf,
    freeId,
    freeNoteId,
    freshConfig,
    isNote,
    kindOf,
    noteNode,
    partOf,
    renamedIn,
    type Drawing,
    type DrawnNode,
    type NodeType,
    type NoteColor,
} from './model';

const PAST = 100;
export interface NodeState {
    status: string;
    error?: string | null;
    duration?: number | null;
    iterations?: number; // how often it has run, when more than once
}
export type Pins = Record<string, Record<string, Json>>;
export interface Compared {
    version: number;
    flow: Pick<Flow, 'nodes' | 'connections' | 'settings'>;
}
interface State extends Drawing {
    name: string;
    past: Drawing[];
    future: Drawing[];
    dirty: boolean;
    clipboard: Drawing | null;
    states: Record<string, NodeState>;
    problems: Record<string, NodeProblem[]>;
    configKey: string; // of the last config change, so that typing is one step
    over: string | null; // the container that what is dragged would go into
    dragged: boolean; // while a drag goes on
    /** Outputs that stand for what a node would give, so that it is not run: test data. */
    pins: Pins;
    /** The version that the drawing is held against. */
    compared: Compared | null;
    /** The run that was asked for last, until it is watched: a new flow gets its page only once it is saved. */
    begun: { flowId: string; executionId: string } | null;
    writing: string | null; // the note that is asked to be written in
    shown: string | null; // the node that is asked to be brought into view
    added: string | null; // the node that has just come, which nobody may have seen yet
    arranged: number; // how often the drawing was arranged
}
const empty = {
    nodes: [],
    edges: [],
    past: [],
    future: [],
    dirty: false,
    states: {},
    problems: {},
    configKey: '',
    over: null,
    dragged: false,
    pins: {},
    compared: null,
    writing: null,
    shown: null,
    added: null,
    arranged: 0,
};
export const useEditor = create<State>(() => ({ ...empty, name: '', clipboard: null, begun: null }));

const drawing = ({ nodes, edges }: Drawing): Drawing => ({ nodes, edges });
function remember(key = ''): void {
    useEditor.setState((s) =>
        key !== '' && key === s.configKey
            ? { dirty: true }
            : { past: [...s.past.slice(1 - PAST), drawing(s)], future: [], dirty: true, configKey: key },
    );
}

export function openDrawing(
    flow: Pick<Flow, 'name' | 'nodes' | 'connections'> & Partial<Pick<Flow, 'settings' | 'metadata'>>,
    dirty = false,
): void {
    const pins = (flow.metadata?.pins ?? {}) as Pins;
    useEditor.setState({ ...empty, ...drawingOf(flow), name: flow.name, dirty, pins });
}
/** null: the node is run again. */
export function pin(id: string, outputs: Record<string, Json> | null): void {
    useEditor.setState((s) => {
        const { [id]: _former, ...rest } = s.pins;
        return { pins: outputs === null ? rest : { ...rest, [id]: outputs }, dirty: true };
    });
}
/** Those of nodes that are still there. */
export function pinsOf({ pins, nodes }: Pick<State, 'pins' | 'nodes'>): Pins {
    const ids = new Set(nodes.map((node) => node.id));
    return Object.fromEntries(Object.entries(pins).filter(([id]) => ids.has(id)));
}
export const markSaved = (): void => {
    useEditor.setState({ dirty: false, configKey: '' });
};
export const rename = (name: string): void => {
    useEditor.setState({ name, dirty: true });
};
export function undo(): void {
    useEditor.setState((s) => {
        const former = s.past.at(-1);
        if (former === undefined) return s;
        return {
            ...former,
            past: s.past.slice(0, -1),
            future: [drawing(s), ...s.future],
            dirty: true,
            configKey: '',
        };
    });
}
export function redo(): void {
    useEditor.setState((s) => {
        const [next, ...future] = s.future;
        if (next === undefined) return s;
        return { ...next, past: [...s.past, drawing(s)], future, dirty: true, configKey: '' };
    });
}
/** What the canvas reports; positions while dragging are one step, taken at its start. */
export function changeNodes(changes: NodeChange<DrawnNode>[]): void {
    if (changes.some((c) => c.type === 'remove')) remember();
    // The arrow keys move without a drag.
    if (changes.some((c) => c.type === 'position' && c.dragging === false) && !useEditor.getState().dragged)
        remember('arrows');
    // How large a node is, and that it has grown by what is said of it, is known once it is drawn.
    const measured = changes.some((c) => c.type === 'dimensions' && c.resizing === undefined);
    useEditor.setState((s) => {
        const nodes = applyNodeChanges(changes, s.nodes);
        return { nodes: measured ? fitted(nodes) : nodes };
    });
}
export function changeEdges(changes: EdgeChange[]): void {
    if (changes.some((c) => c.type === 'remove')) remember();
    useEditor.setState((s) => ({ edges: applyEdgeChanges(changes, s.edges) }));
}
export const beginResize = (): void => {
    remember();
};
export const endResize = (): void => {
    useEditor.setState((s) => ({ nodes: fitted(s.nodes) }));
};
export const beginMove = (): void => {
    remember();
    useEditor.setState({ dragged: true });
};

const middleOf = (node: DrawnNode, index: ReadonlyMap<string, DrawnNode>): Point => {
    const place = placeOf(node, index);
    const size = sizeOf(node);
    return { x: place.x + size.width / 2, y: place.y + Math.min(size.height / 2, 40) };
};
/** Triggers and notes stand outside. */
const goesInside = (node: DrawnNode): boolean => !isNote(node) && !isTrigger(node.data.type);
/** Of what is dragged only what is not inside of something else that is. */
function outermost(ids: ReadonlySet<string>, nodes: DrawnNode[]): DrawnNode[] {
    return nodes.filter((node) => ids.has(node.id) && !ids.has(node.parentId ?? ''));
}
/** While dragging: which container would take it. */
export function moveOver(ids: string[]): void {
    const { nodes, over } = useEditor.getState();
    const moving = new Set(ids);
    const first = outermost(moving, nodes).find(goesInside);
    const found = first === undefined ? undefined : containerAt(middleOf(first, byId(nodes)), nodes, moving);
    const next = found === undefined || found.id === first?.parentId ? null : found.id;
    if (next !== over) useEditor.setState({ over: next });
}
/** Each goes into the container it was dropped in, or out of the one it was in. */
export function endMove(ids: string[]): void {
    useEditor.setState((s) => {
        const moving = new Set(ids);
        let nodes = s.nodes;
        for (const { id } of outermost(moving, nodes)) {
            const index = byId(nodes);
            const node = index.get(id);
            if (node === undefined || !goesInside(node)) continue;
            const into = containerAt(middleOf(node, index), nodes, moving)?.id;
            if (into !== node.parentId)
                nodes = nodes.map((one) => (one.id === id ? moved(node, into ?? null, nodes) : one));
        }
        return { nodes: fitted(ordered(nodes)), over: null, dragged: false };
    });
}
/** Into a container by name, or out of all (null): the same without a pointer. */
export function moveInto(id: string, into: string | null): void {
    remember();
    useEditor.setState((s) => ({
        nodes: fitted(
            ordered(
                s.nodes.map((node) => {
                    if (node.id !== id) return node;
                    const next = moved(node, into, s.nodes);
                    // Where it is now may be far from where it goes.
                    return into === null ? next : { ...next, position: freePlaceIn(into, s.nodes) };
                }),
            ),
        ),
    }));
}
function freePlaceIn(container: string, nodes: DrawnNode[]): Point {
    const inside = nodes.filter((node) => node.parentId === container);
    const right = Math.max(0, ...inside.map((node) => node.position.x + sizeOf(node).width));
    return inside.length === 0 ? { x: 120, y: 70 } : { x: right + 60, y: inside[0]?.position.y ?? 70 };
}
/** Puts a node at a place of the canvas, into the container that is there; or into `into`, where there is room. */
export function addNode(type: NodeType, at: Point, into?: string): string {
    remember();
    const { nodes } = useEditor.getState();
    const id = freeId(type.type, new Set(nodes.map((node) => node.id)));
    const kind = kindOf(type.type);
    let node: DrawnNode = {
        id,
        type: kind,
        selected: true,
        position: at,
        ...(kind === 'each' && smallest),
        data: { type: type.type, version: type.version, config: freshConfig(type) },
    };
    if (goesInside(node)) {
        const container = into ?? containerAt(at, nodes)?.id;
        if (container !== undefined) {
            node = moved(node, container, nodes);
            if (into !== undefined) node = { ...node, position: freePlaceIn(container, nodes) };
        }
    }
    useEditor.setState((s) => ({
        nodes: fitted([...s.nodes.map((n) => (n.selected ? { ...n, selected: false } : n)), node]),
        added: id,
    }));
    return id;
}
export function addNote(at: Point, text = ''): string {
    remember();
    const { nodes } = useEditor.getState();
    const id = freeNoteId(new Set(nodes.map((node) => node.id)));
    useEditor.setState({
        nodes: [
            ...nodes.map((n) => (n.selected ? { ...n, selected: false } : n)),
            { ...noteNode(id, { text, position: at }), selected: true },
        ],
    });
    return id;
}
export function changeNote(id: string, change: { text?: string; color?: NoteColor }): void {
    remember(`${id} ${Object.keys(change).join()}`);
    useEditor.setState((s) => ({
        nodes: s.nodes.map((node) =>
            node.id === id ? { ...node, data: { ...node.data, ...change } } : node,
        ),
    }));
}
export function connect(connection: FlowConnection): void {
    remember();
    useEditor.setState((s) => ({
        edges: [...s.edges.filter((edge) => edge.id !== edgeId(connection)), edgeOf(connection)],
    }));
}
export function configure(id: string, name: string, value: Config[string] | undefined): void {
    remember(`${id}.${name}`);
    useEditor.setState((s) => ({
        nodes: s.nodes.map((node) => {
            if (node.id !== id) return node;
            const { [name]: _former, ...rest } = node.data.config;
            return {
                ...node,
                data: { ...node.data, config: value === undefined ? rest : { ...rest, [name]: value } },
            };
        }),
    }));
}
export function renameNode(id: string, next: string): boolean {
    const { nodes } = useEditor.getState();
    if (!/^[\w-]{1,64}$/.test(next) || nodes.some((node) => node.id === next)) return false;
    remember();
    const name = (at: string): string => (at === id ? next : at);
    useEditor.setState((s) => ({
        pins: Object.fromEntries(Object.entries(s.pins).map(([at, outputs]) => [name(at), outputs])),
        nodes: s.nodes.map((node) => ({
            ...node,
            id: name(node.id),
            ...(node.parentId === id && { parentId: next }),
            data: { ...node.data, config: renamedIn(node.data.config, new Map([[id, next]])) },
        })),
        edges: s.edges.map((edge) =>
            edgeOf({
                fromNodeId: name(edge.source),
                fromOutput: edge.sourceHandle ?? 'output',
                toNodeId: name(edge.target),
                toInput: edge.targetHandle ?? 'input',
            }),
        ),
    }));
    return true;
}
export function arrange(): void {
    remember();
    useEditor.setState((s) => ({ nodes: arranged(s), arranged: s.arranged + 1 }));
}
const chosenIds = (nodes: DrawnNode[]): Set<string> =>
    new Set(nodes.filter((node) => node.selected).map((node) => node.id));
/** What is chosen, for this drawing, another one, or another window. */
export function copy(): Drawing | null {
    const s = useEditor.getState();
    const part = structuredClone(partOf(s, chosenIds(s.nodes)));
    if (part.nodes.length === 0) return null;
    useEditor.setState({ clipboard: part });
    return part;
}
export function paste(from: Drawing | null = useEditor.getState().clipboard): void {
    const { nodes } = useEditor.getState();
    if (from === null || from.nodes.length === 0) return;
    remember();
    const part = copyOf(from, new Set(nodes.map((node) => node.id)), 40);
    useEditor.setState((s) => ({
        nodes: ordered([...s.nodes.map((n) => ({ ...n, selected: false })), ...part.nodes]),
        edges: [...s.edges, ...part.edges],
        // The next one stands beside it.
        clipboard: {
            ...from,
            nodes: from.nodes.map((node) =>
                node.parentId === undefined
                    ? { ...node, position: { x: node.position.x + 40, y: node.position.y + 40 } }
                    : node,
            ),
        },
    }));
}
export function duplicate(): void {
    const former = useEditor.getState().clipboard;
    const part = copy();
    if (part !== null) paste(part);
    useEditor.setState({ clipboard: former });
}
export function selectAll(): void {
    useEditor.setState((s) => ({ nodes: s.nodes.map((n) => ({ ...n, selected: true })) }));
}
export function selectNone(): void {
    useEditor.setState((s) => ({
        nodes: s.nodes.map((n) => (n.selected ? { ...n, selected: false } : n)),
        edges: s.edges.map((e) => (e.selected ? { ...e, selected: false } : e)),
    }));
}
export function select(id: string): void {
    useEditor.setState((s) => ({
        shown: id,
        nodes: s.nodes.map((node) =>
            (node.selected ?? false) === (node.id === id) ? node : { ...node, selected: node.id === id },
        ),
    }));
}
export function remove(): void {
    const s = useEditor.getState();
    const gone = withInside(chosenIds(s.nodes), s.nodes);
    const edges = s.edges.filter((e) => e.selected !== true && !gone.has(e.source) && !gone.has(e.target));
    if (gone.size === 0 && edges.length === s.edges.length) return;
    remember();
    useEditor.setState({ nodes: s.nodes.filter((n) => !gone.has(n.id)), edges });
}

export type Alignment = 'left' | 'center' | 'right' | 'top' | 'middle' | 'bottom' | 'across' | 'down';
/** Lines up what is chosen, or spaces it out evenly (across, down). */
export function align(how: Alignment): void {
    const s = useEditor.getState();
    const index = byId(s.nodes);
    const boxes = outermost(chosenIds(s.nodes), s.nodes).map((node) => ({
        id: node.id,
        ...placeOf(node, index),
        ...sizeOf(node),
    }));
    if (boxes.length < (how === 'across' || how === 'down' ? 3 : 2)) return;
    remember();
    const left = Math.min(...boxes.map((b) => b.x));
    const right = Math.max(...boxes.map((b) => b.x + b.width));
    const top = Math.min(...boxes.map((b) => b.y));
    const bottom = Math.max(...boxes.map((b) => b.y + b.height));
    const to = new Map<string, Point>();
    if (how === 'across' || how === 'down') {
        const [start, length] = how === 'across' ? (['x', 'width'] as const) : (['y', 'height'] as const);
        const inOrder = [...boxes].sort((a, b) => a[start] - b[start]);
        const room =
            (how === 'across' ? right - left : bottom - top) - boxes.reduce((sum, b) => sum + b[length], 0);
        let at = how === 'across' ? left : top;
        for (const box of inOrder) {
            to.set(box.id, { x: box.x, y: box.y, [start]: Math.round(at) });
            at += box[length] + room / (boxes.length - 1);
        }
    } else
        for (const b of boxes)
            to.set(b.id, {
                x:
                    how === 'left'
                        ? left
                        : how === 'right'
                          ? right - b.width
                          : how === 'center'
                            ? Math.round((left + right - b.width) / 2)
                            : b.x,
                y:
                    how === 'top'
                        ? top
                        : how === 'bottom'
                          ? bottom - b.height
                          : how === 'middle'
                            ? Math.round((top + bottom - b.height) / 2)
                            : b.y,
            });
    useEditor.setState({
        nodes: fitted(
            s.nodes.map((node) => {
                const place = to.get(node.id);
                const box = boxes.find((one) => one.id === node.id);
                if (place === undefined || box === undefined) return node;
                return {
                    ...node,
                    position: { x: node.position.x + place.x - box.x, y: node.position.y + place.y - box.y },
                };
            }),
        ),
    });
}

/* What follows from the connections alone, worked out once for each set of them. */
const usedPins = new WeakMap<Drawing['edges'], Map<string, string>>();
/** The pins of a node that are connected, joined by spaces: its inputs (`<`) or outputs (`>`). */
export function pinsUsed(edges: Drawing['edges'], id: string, side: '<' | '>'): string {
    let found = usedPins.get(edges);
    if (found === undefined) {
        const sets = new Map<string, Set<string>>();
        const note = (key: string, pin: string): void => {
            sets.set(key, (sets.get(key) ?? new Set()).add(pin));
        };
        for (const edge of edges) {
            note(`<${edge.target}`, edge.targetHandle ?? 'input');
            note(`>${edge.source}`, edge.sourceHandle ?? 'output');
        }
        found = new Map([...sets].map(([key, pins]) => [key, [...pins].join(' ')]));
        usedPins.set(edges, found);
    }
    return found.get(side + id) ?? '';
}
const bodies = new WeakMap<Drawing['edges'], { key: string; back: Set<string> }>();
export function backOf({ nodes, edges }: Drawing): Set<string> {
    const key = nodes.map((node) => `${node.id}<${node.parentId ?? ''}`).join();
    const known = bodies.get(edges);
    if (known?.key === key) return known.back;
    const back = backEdges(nodes, edges);
    bodies.set(edges, { key, back });
    return back;
}
export const hasContainer = (nodes: DrawnNode[]): boolean =>
    nodes.some((node) => isContainer(node.data.type));
