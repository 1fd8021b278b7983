/* For-each containers: which nodes are inside which, where, and what may cross their border. Pure.
   A node inside has its place relative to its container, as the canvas wants it; the flow's own are absolute. */
import type { Edge } from '@xyflow/react';
import type { DrawnNode } from './model';

export interface Point {
    x: number;
    y: number;
}
export interface Size {
    width: number;
    height: number;
}

/** What the frame of a container keeps free for its head and its pins. */
export const frame = { head: 58, left: 96, right: 104, bottom: 24, gap: 20 };
export const smallest: Size = { width: 460, height: 210 };

export const isContainer = (type: string): boolean => type === 'for-each';
export const isItemPin = (pin: string | null | undefined): boolean => pin === 'item' || pin === 'index';

/** Of a node that has not been drawn yet: about what most will have. */
const undrawn: Size = { width: 190, height: 96 };

export const sizeOf = (node: DrawnNode): Size => ({
    width: node.width ?? node.measured?.width ?? undrawn.width,
    height: node.height ?? node.measured?.height ?? undrawn.height,
});

export function placeOf(node: DrawnNode, nodes: ReadonlyMap<string, DrawnNode>): Point {
    const place = { ...node.position };
    for (
        let parent = nodes.get(node.parentId ?? '');
        parent !== undefined;
        parent = nodes.get(parent.parentId ?? '')
    ) {
        place.x += parent.position.x;
        place.y += parent.position.y;
    }
    return place;
}

export const byId = (nodes: DrawnNode[]): Map<string, DrawnNode> =>
    new Map(nodes.map((node) => [node.id, node]));

export function depthOf(node: DrawnNode, nodes: ReadonlyMap<string, DrawnNode>): number {
    let depth = 0;
    for (
        let parent = nodes.get(node.parentId ?? '');
        parent !== undefined && depth <= nodes.size;
        parent = nodes.get(parent.parentId ?? '')
    )
        depth++;
    return depth;
}

/** Containers before what is inside them: the canvas asks for that. */
export function ordered(nodes: DrawnNode[]): DrawnNode[] {
    const index = byId(nodes);
    const depth = new Map(nodes.map((node) => [node.id, depthOf(node, index)]));
    return nodes.every((node, i) => {
        const before = nodes[i - 1];
        return before === undefined || (depth.get(before.id) ?? 0) <= (depth.get(node.id) ?? 0);
    })
        ? nodes
        : [...nodes].sort((a, b) => (depth.get(a.id) ?? 0) - (depth.get(b.id) ?? 0));
}

/** The ids and everything inside of them. */
export function withInside(ids: ReadonlySet<string>, nodes: DrawnNode[]): Set<string> {
    const all = new Set(ids);
    for (const node of ordered(nodes))
        if (node.parentId !== undefined && all.has(node.parentId)) all.add(node.id);
    return all;
}

/** The innermost container at that place of the canvas that could take the nodes `moving`. */
export function containerAt(
    at: Point,
    nodes: DrawnNode[],
    moving: ReadonlySet<string> = new Set(),
): DrawnNode | undefined {
    const index = byId(nodes);
    const within = withInside(moving, nodes);
    let found: DrawnNode | undefined;
    let deepest = -1;
    for (const node of nodes) {
        if (!isContainer(node.data.type) || within.has(node.id)) continue;
        const place = placeOf(node, index);
        const size = sizeOf(node);
        const depth = depthOf(node, index);
        if (
            at.x >= place.x &&
            at.y >= place.y &&
            at.x <= place.x + size.width &&
            at.y <= place.y + size.height &&
            depth > deepest
        ) {
            found = node;
            deepest = depth;
        }
    }
    return found;
}

/** The place, or the nearest one below it where a node covers no other. A container may be under it: it goes inside. */
export function freeFrom(at: Point, nodes: DrawnNode[]): Point {
    const index = byId(nodes);
    const free = { ...at };
    const covered = (): DrawnNode | undefined =>
        nodes.find((node) => {
            if (isContainer(node.data.type)) return false;
            const place = placeOf(node, index);
            const of = sizeOf(node);
            return (
                free.x < place.x + of.width &&
                place.x < free.x + undrawn.width &&
                free.y < place.y + of.height &&
                place.y < free.y + undrawn.height + frame.gap
            );
        });
    for (let node = covered(); node !== undefined; node = covered())
        free.y = placeOf(node, index).y + sizeOf(node).height + frame.gap;
    return free;
}

/** Puts a node into a container, or out of one (null), where it is. */
export function moved(node: DrawnNode, into: string | null, nodes: DrawnNode[]): DrawnNode {
    const index = byId(nodes);
    const place = placeOf(node, index);
    const { parentId: _former, ...rest } = node;
    const container = into === null ? undefined : index.get(into);
    if (container === undefined) return { ...rest, position: place };
    const origin = placeOf(container, index);
    return { ...rest, parentId: container.id, position: { x: place.x - origin.x, y: place.y - origin.y } };
}

/** Containers as large as what is inside them needs; what would lie on the frame is moved inside. */
export function fitted(nodes: DrawnNode[]): DrawnNode[] {
    const result = byId(nodes);
    const inner = new Map<string, string[]>();
    for (const node of nodes)
        if (node.parentId !== undefined)
            inner.set(node.parentId, [...(inner.get(node.parentId) ?? []), node.id]);
    for (const container of [...ordered(nodes)].reverse()) {
        const inside = (inner.get(container.id) ?? []).flatMap((id) => result.get(id) ?? []);
        if (inside.length === 0) continue;
        const size = sizeOf(result.get(container.id) ?? container);
        let { width, height } = size;
        for (const node of inside) {
            const position = {
                x: Math.max(node.position.x, frame.left),
                y: Math.max(node.position.y, frame.head),
            };
            const { width: w, height: h } = sizeOf(node);
            width = Math.max(width, position.x + w + frame.right);
            height = Math.max(height, position.y + h + frame.bottom);
            if (position.x !== node.position.x || position.y !== node.position.y)
                result.set(node.id, { ...node, position });
        }
        const now = result.get(container.id) ?? container;
        if (width !== size.width || height !== size.height)
            result.set(container.id, { ...now, width, height });
    }
    return nodes.map((node) => result.get(node.id) ?? node);
}

interface Ends {
    source: string;
    target: string;
    sourceHandle?: string | null | undefined;
    targetHandle?: string | null | undefined;
}
export type Crossing = 'border' | 'item' | 'result';
/** Why the connection may not stand where it does; null when it may. As src/flow/bodies.c has it. */
export function crossing(edge: Ends, nodes: ReadonlyMap<string, DrawnNode>): Crossing | null {
    const source = nodes.get(edge.source);
    const target = nodes.get(edge.target);
    if (source === undefined || target === undefined) return null;
    const item = isContainer(source.data.type) && isItemPin(edge.sourceHandle);
    const result = isContainer(target.data.type) && edge.targetHandle === 'result';
    if (item && !result && target.parentId === source.id) return null;
    if (result && !item && source.parentId === target.id) return null;
    if (item) return 'item';
    if (result) return 'result';
    return source.parentId === target.parentId ? null : 'border';
}

/** Strongly connected parts among `ids`; `next` are the ids that one leads to. */
function parts(ids: string[], next: (id: string) => string[]): Map<string, number> {
    const index = new Map<string, number>();
    const low = new Map<string, number>();
    const part = new Map<string, number>();
    const open: string[] = [];
    let count = 0;
    for (const start of ids) {
        if (index.has(start)) continue;
        const work: { id: string; left: string[] }[] = [];
        const enter = (id: string): void => {
            index.set(id, index.size);
            low.set(id, index.get(id) ?? 0);
            open.push(id);
            work.push({ id, left: next(id) });
        };
        enter(start);
        for (let top = work.at(-1); top !== undefined; top = work.at(-1)) {
            const to = top.left.pop();
            const lowest = low.get(top.id) ?? 0;
            if (to !== undefined && !index.has(to)) enter(to);
            else if (to !== undefined) {
                if (!part.has(to)) low.set(top.id, Math.min(lowest, index.get(to) ?? 0));
            } else {
                work.pop();
                const parent = work.at(-1);
                if (parent !== undefined) low.set(parent.id, Math.min(low.get(parent.id) ?? 0, lowest));
                if (lowest !== index.get(top.id)) continue;
                for (let id = open.pop(); id !== undefined; id = open.pop()) {
                    part.set(id, count);
                    if (id === top.id) break;
                }
                count++;
            }
        }
    }
    return part;
}

/** The connections that lead back to the first node of a loop, as src/flow/loops.c finds them. */
export function backEdges(nodes: DrawnNode[], edges: Edge[]): Set<string> {
    const index = byId(nodes);
    const plain = edges.filter(
        (edge) =>
            index.has(edge.source) && index.get(edge.source)?.parentId === index.get(edge.target)?.parentId,
    );
    const back = new Set<string>();
    const ids = nodes.map((node) => node.id);
    for (let again = true; again;) {
        again = false;
        const left = plain.filter((edge) => !back.has(edge.id));
        const out = new Map<string, string[]>();
        for (const edge of left) out.set(edge.source, [...(out.get(edge.source) ?? []), edge.target]);
        const part = parts(ids, (id) => [...(out.get(id) ?? [])]);
        const inside = (edge: Edge): boolean => part.get(edge.source) === part.get(edge.target);
        const entered = new Map<number, Set<string>>();
        for (const edge of left)
            if (!inside(edge)) {
                const to = part.get(edge.target) ?? -1;
                entered.set(to, (entered.get(to) ?? new Set()).add(edge.target));
            }
        for (const edge of left) {
            if (!inside(edge)) continue;
            const heads = entered.get(part.get(edge.target) ?? -1);
            // Entered nowhere or in two places: the service refuses it, and says why.
            if (heads?.size !== 1 || !heads.has(edge.target)) continue;
            back.add(edge.id);
            again = true;
        }
    }
    return back;
}
