import { describe, expect, it } from 'vitest';
import {
    backEdges,
    byId,
    containerAt,
    crossing,
    fitted,
    frame,
    freeFrom,
    placeOf,
    sizeOf,
    withInside,
} from './containers';
import { arranged, copyOf, drawingOf, flowOf, partOf, renamedIn, settingsOf } from './model';
import { blocksOf } from './rich-text';

const node = (id: string, type: string, x: number, y: number, more: object = {}) => ({
    id,
    type,
    version: '1.0.0',
    config: {},
    position: { x, y },
    ...more,
});
const link = (from: string, to: string, output = 'output', input = 'input') => ({
    fromNodeId: from,
    fromOutput: output,
    toNodeId: to,
    toInput: input,
});
const size = { width: 600, height: 300 };
const flow = {
    nodes: [
        node('in', 'log', 300, 400, { parentId: 'each' }),
        node('start', 'manual-trigger', 0, 300),
        node('each', 'for-each', 200, 300, { size }),
        node('after', 'log', 900, 300),
    ],
    connections: [
        link('start', 'each', 'output', 'items'),
        link('each', 'in', 'item'),
        link('in', 'each', 'output', 'result'),
        link('each', 'after', 'results'),
    ],
};

describe('a for-each', () => {
    const drawing = drawingOf(flow);
    const index = byId(drawing.nodes);
    it('is drawn before what is inside, whose places are its own', () => {
        const ids = drawing.nodes.map((one) => one.id);
        expect(ids.indexOf('each')).toBeLessThan(ids.indexOf('in'));
        expect(index.get('in')).toMatchObject({ parentId: 'each', position: { x: 100, y: 100 } });
        const inner = index.get('in');
        expect(inner && placeOf(inner, index)).toEqual({ x: 300, y: 400 });
    });
    it('gives back the flow it was made from', () => {
        const back = flowOf(drawing);
        expect([...back.nodes].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
            [...flow.nodes].sort((a, b) => (a.id < b.id ? -1 : 1)),
        );
    });
    it('says what may cross its border', () => {
        const ends = (source: string, sourceHandle: string, target: string, targetHandle: string) =>
            crossing({ source, sourceHandle, target, targetHandle }, index);
        expect(ends('each', 'item', 'in', 'input')).toBeNull();
        expect(ends('in', 'output', 'each', 'result')).toBeNull();
        expect(ends('each', 'results', 'after', 'input')).toBeNull();
        expect(ends('each', 'item', 'after', 'input')).toBe('item');
        expect(ends('start', 'output', 'each', 'result')).toBe('result');
        expect(ends('in', 'output', 'after', 'input')).toBe('border');
        expect(ends('each', 'results', 'in', 'input')).toBe('border');
    });
    it('grows with what is inside, and keeps its frame free', () => {
        const nodes = fitted(
            drawing.nodes.map((one) =>
                one.id === 'in' ? { ...one, position: { x: 2, y: 700 }, width: 190, height: 90 } : one,
            ),
        );
        expect(byId(nodes).get('in')?.position).toEqual({ x: frame.left, y: 700 });
        expect(byId(nodes).get('each')?.height).toBe(700 + 90 + frame.bottom);
    });
    it('is found under a place, but not under itself', () => {
        expect(containerAt({ x: 400, y: 350 }, drawing.nodes)?.id).toBe('each');
        expect(containerAt({ x: 10, y: 10 }, drawing.nodes)).toBeUndefined();
        expect(containerAt({ x: 400, y: 350 }, drawing.nodes, new Set(['each']))).toBeUndefined();
    });
    it('is copied with what is inside; what is inside is copied alone too', () => {
        expect([...withInside(new Set(['each']), drawing.nodes)].sort()).toEqual(['each', 'in']);
        const copy = copyOf(partOf(drawing, new Set(['each'])), new Set(['each', 'in', 'log']), 10);
        expect(copy.nodes.map((one) => [one.id, one.parentId])).toEqual([
            ['for-each', undefined],
            ['log-2', 'for-each'],
        ]);
        expect(copy.edges).toHaveLength(2);
        const alone = partOf(drawing, new Set(['in'])).nodes[0];
        expect(alone?.parentId).toBeUndefined();
        expect(alone?.position).toEqual({ x: 300, y: 400 });
    });
    it('is arranged with room for what is inside', () => {
        const nodes = byId(arranged(drawing));
        const inner = nodes.get('in');
        const each = nodes.get('each');
        expect(inner?.position.x).toBeGreaterThanOrEqual(frame.left);
        expect((inner?.position.x ?? 0) + 190 + frame.right).toBeLessThanOrEqual(each?.width ?? 0);
        expect(nodes.get('start')?.position.x).toBeLessThan(each?.position.x ?? 0);
    });
    it('that is inside itself does not hang the page', () => {
        const circle = drawingOf({
            nodes: [
                node('a', 'for-each', 0, 0, { parentId: 'b' }),
                node('b', 'for-each', 9, 9, { parentId: 'a' }),
                node('c', 'log', 9, 9, { parentId: 'a' }),
            ],
            connections: [],
        });
        expect(circle.nodes.map((one) => one.parentId)).toEqual([undefined, undefined, undefined]);
    });
});

describe('a loop', () => {
    const back = (nodes: string[], links: [string, string][]) => {
        const drawing = drawingOf({
            nodes: nodes.map((id, i) => node(id, 'log', i * 100, 0)),
            connections: links.map(([a, b]) => link(a, b)),
        });
        return drawing.edges
            .filter((edge) => backEdges(drawing.nodes, drawing.edges).has(edge.id))
            .map((edge) => `${edge.source}>${edge.target}`);
    };
    it('leads back to its first node', () => {
        expect(
            back(
                ['s', 'a', 'b', 'c'],
                [
                    ['s', 'a'],
                    ['a', 'b'],
                    ['b', 'a'],
                    ['b', 'c'],
                ],
            ),
        ).toEqual(['b>a']);
        expect(
            back(
                ['s', 'a', 'b'],
                [
                    ['s', 'a'],
                    ['a', 'b'],
                ],
            ),
        ).toEqual([]);
    });
    it('may be inside another', () => {
        expect(
            back(
                ['s', 'a', 'b', 'c'],
                [
                    ['s', 'a'],
                    ['a', 'b'],
                    ['b', 'c'],
                    ['c', 'b'],
                    ['c', 'a'],
                ],
            ).sort(),
        ).toEqual(['c>a', 'c>b']);
    });
    it('entered in two places is none', () => {
        expect(
            back(
                ['s', 'a', 'b'],
                [
                    ['s', 'a'],
                    ['s', 'b'],
                    ['a', 'b'],
                    ['b', 'a'],
                ],
            ),
        ).toEqual([]);
    });
});

describe('names in expressions', () => {
    it('follow a node that is called otherwise', () => {
        const ids = new Map([
            ['http', 'fetch'],
            ['a-b', 'c'],
        ]);
        expect(
            renamedIn(
                { x: ['{{ nodes.http.output }} {{ nodes["a-b"].p + nodes.httpx.q }}'], y: 'nodes.http-2.z' },
                ids,
            ),
        ).toEqual({
            x: ['{{ nodes.fetch.output }} {{ nodes["c"].p + nodes.httpx.q }}'],
            y: 'nodes.http-2.z',
        });
    });
});

describe('notes', () => {
    it('stand in the settings, and leave the rest of them alone', () => {
        const notes = [
            { text: 'Why', position: { x: 1, y: 2 }, size: { width: 200, height: 90 }, color: 'blue' },
        ];
        const settings = { timeoutMs: 5, notes };
        const drawing = drawingOf({ ...flow, settings });
        expect(settingsOf(settings, drawing.nodes)).toEqual(settings);
        expect(flowOf(drawing).nodes).toHaveLength(flow.nodes.length);
        expect(settingsOf(null, [])).toBeNull();
    });
    it('have headings, lists and paragraphs', () => {
        expect(blocksOf('# T\na\nb\n\n- x\n- y').map(({ kind, lines }) => [kind, lines.length])).toEqual([
            ['heading', 1],
            ['text', 2],
            ['list', 2],
        ]);
    });
});

describe('where a node is added', () => {
    const { nodes } = drawingOf(flow);
    const index = byId(nodes);
    it('is the place itself when it is free', () => {
        expect(freeFrom({ x: 2000, y: 10 }, nodes)).toEqual({ x: 2000, y: 10 });
    });
    it('is below what it would cover, one after the other', () => {
        const start = index.get('start');
        if (start === undefined) throw new Error('it is there');
        const below = start.position.y + sizeOf(start).height + frame.gap;
        expect(freeFrom({ x: 20, y: 290 }, nodes)).toEqual({ x: 20, y: below });
        const more = drawingOf({ ...flow, nodes: [...flow.nodes, node('next', 'log', 20, below)] }).nodes;
        expect(freeFrom({ x: 20, y: 290 }, more).y).toBeGreaterThan(below);
    });
    it('may be inside a for-each, but not on what is in it', () => {
        expect(freeFrom({ x: 600, y: 320 }, nodes)).toEqual({ x: 600, y: 320 });
        expect(freeFrom({ x: 300, y: 420 }, nodes).y).toBeGreaterThan(420);
    });
});
