import { describe, expect, it } from 'vitest';
import { arranged, copyOf, differenceOf, drawingOf, flowOf, freeId, misfit, type Catalog } from './model';

const pins = (type: string): { name: string; type: string }[] => [{ name: 'p', type }];
const catalog: Catalog = new Map(
    (['list', 'text', 'anything'] as const).map((type) => {
        const kind = { list: 'array', text: 'string', anything: 'any' }[type];
        return [
            type,
            {
                type,
                name: type,
                description: '',
                version: '1.0.0',
                category: 'logic',
                inputs: pins(kind),
                outputs: pins(kind),
            },
        ];
    }),
);
const flow = {
    nodes: ['list', 'text', 'anything'].map((type, i) => ({
        id: type,
        type,
        version: '1.0.0',
        config: { a: [1] },
        position: { x: i * 10, y: 0 },
    })),
    connections: [{ fromNodeId: 'list', fromOutput: 'p', toNodeId: 'anything', toInput: 'p' }],
};

describe('a drawing', () => {
    it('gives back the flow it was made from', () => {
        expect(flowOf(drawingOf(flow))).toEqual(flow);
    });
    it('says what fits and why not', () => {
        const drawing = drawingOf(flow);
        const join = (source: string, target: string) =>
            misfit({ source, target, sourceHandle: 'p', targetHandle: 'p' }, drawing, catalog);
        expect(join('text', 'anything')).toBeNull();
        expect(join('anything', 'list')).toBeNull();
        expect(join('text', 'list')).toEqual({ reason: 'types', from: 'string', to: 'array' });
        expect(join('list', 'list')).toEqual({ reason: 'self' });
        expect(join('list', 'anything')).toEqual({ reason: 'twice' });
        expect(
            misfit(
                { source: 'list', target: 'text', sourceHandle: 'error', targetHandle: 'p' },
                drawing,
                catalog,
            ),
        ).toEqual({
            reason: 'types',
            from: 'object',
            to: 'string',
        });
    });
    it('copies nodes with the connections among them', () => {
        const drawing = drawingOf(flow);
        const copy = copyOf(drawing, new Set(drawing.nodes.map((n) => n.id)), 20);
        expect(copy.nodes.map((n) => n.id)).toEqual(['list-2', 'text-2', 'anything-2']);
        expect(copy.edges).toHaveLength(1);
        expect(copy.edges[0]).toMatchObject({ source: 'list-2', target: 'anything-2' });
        expect(copyOf({ ...drawing, nodes: drawing.nodes.slice(0, 1) }, new Set(), 0).edges).toEqual([]);
    });
    it('numbers names that are taken', () => {
        expect(freeId('if', new Set())).toBe('if');
        expect(freeId('if', new Set(['if', 'if-2']))).toBe('if-3');
    });
    it('is arranged from left to right', () => {
        const [list, , anything] = arranged(drawingOf(flow));
        expect(list?.position.x).toBeLessThan(anything?.position.x ?? 0);
    });
    it('tells two versions apart', () => {
        const [first, second, third] = flow.nodes;
        if (!first || !second || !third) throw new Error('three nodes');
        const to = {
            nodes: [
                { ...first, config: { a: [2] } },
                { ...second, position: { x: 1, y: 1 } },
                { ...third, id: 'new' },
            ],
        };
        expect(differenceOf(flow, to)).toEqual({
            added: ['new'],
            removed: ['anything'],
            changed: ['list'],
            moved: ['text'],
        });
    });
});
