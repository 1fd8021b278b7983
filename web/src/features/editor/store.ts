/* The open drawing with its past: each change can be undone. */
import { applyEdgeChanges, applyNodeChanges, type EdgeChange, type NodeChange } from '@xyflow/react';
import { create } from 'zustand';
import type { Config, Flow, FlowConnection } from '@/lib/api/models';
import {
    arranged,
    copyOf,
    drawingOf,
    edgeId,
    edgeOf,
    freeId,
    freshConfig,
    type Drawing,
    type DrawnNode,
    type NodeType,
} from './model';

const PAST = 100;
export interface NodeState {
    status: string;
    error?: string | null;
    duration?: number | null;
}
interface State extends Drawing {
    name: string;
    past: Drawing[];
    future: Drawing[];
    dirty: boolean;
    clipboard: Drawing | null;
    states: Record<string, NodeState>;
    problems: Record<string, string>;
    configKey: string; // of the last config change, so that typing is one step
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
};
export const useEditor = create<State>(() => ({ ...empty, name: '', clipboard: null }));

const drawing = ({ nodes, edges }: Drawing): Drawing => ({ nodes, edges });
function remember(key = ''): void {
    useEditor.setState((s) =>
        key !== '' && key === s.configKey
            ? { dirty: true }
            : { past: [...s.past.slice(1 - PAST), drawing(s)], future: [], dirty: true, configKey: key },
    );
}

export function openDrawing(flow: Pick<Flow, 'name' | 'nodes' | 'connections'>, dirty = false): void {
    useEditor.setState({ ...empty, ...drawingOf(flow), name: flow.name, dirty });
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
    useEditor.setState((s) => ({ nodes: applyNodeChanges(changes, s.nodes) }));
}
export function changeEdges(changes: EdgeChange[]): void {
    if (changes.some((c) => c.type === 'remove')) remember();
    useEditor.setState((s) => ({ edges: applyEdgeChanges(changes, s.edges) }));
}
export const beginMove = (): void => {
    remember();
};
export function addNode(type: NodeType, at: { x: number; y: number }): string {
    remember();
    const { nodes } = useEditor.getState();
    const id = freeId(type.type, new Set(nodes.map((node) => node.id)));
    const node: DrawnNode = {
        id,
        type: 'step',
        selected: true,
        position: at,
        data: { type: type.type, version: type.version, config: freshConfig(type) },
    };
    useEditor.setState((s) => ({
        nodes: [...s.nodes.map((n) => (n.selected ? { ...n, selected: false } : n)), node],
    }));
    return id;
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
        nodes: s.nodes.map((node) => (node.id === id ? { ...node, id: next } : node)),
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
    useEditor.setState((s) => ({ nodes: arranged(s) }));
}
const chosen = (s: State): Drawing => ({ nodes: s.nodes.filter((node) => node.selected), edges: s.edges });
export function copy(): void {
    useEditor.setState((s) => ({ clipboard: structuredClone(chosen(s)) }));
}
export function paste(): void {
    const { clipboard, nodes } = useEditor.getState();
    if (clipboard === null || clipboard.nodes.length === 0) return;
    remember();
    const part = copyOf(clipboard, new Set(nodes.map((node) => node.id)), 40);
    useEditor.setState((s) => ({
        nodes: [...s.nodes.map((n) => ({ ...n, selected: false })), ...part.nodes],
        edges: [...s.edges, ...part.edges],
    }));
}
export function selectAll(): void {
    useEditor.setState((s) => ({ nodes: s.nodes.map((n) => ({ ...n, selected: true })) }));
}
export function remove(): void {
    const s = useEditor.getState();
    const gone = new Set(s.nodes.filter((n) => n.selected).map((n) => n.id));
    const edges = s.edges.filter((e) => e.selected !== true && !gone.has(e.source) && !gone.has(e.target));
    if (gone.size === 0 && edges.length === s.edges.length) return;
    remember();
    useEditor.setState({ nodes: s.nodes.filter((n) => !gone.has(n.id)), edges });
}
