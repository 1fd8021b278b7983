import { expect, it } from 'vitest';
import { placeOf, byId, sizeOf } from './containers';
import { changeNodes, openDrawing, useEditor } from './store';

it('a for-each grows with a node inside it that is larger than was thought', () => {
    const at = (id: string, type: string, x: number, y: number) => ({
        id,
        type,
        version: '1.0.0',
        config: {},
        position: { x, y },
    });
    openDrawing({
        name: 'x',
        nodes: [
            { ...at('each', 'for-each', 0, 0), size: { width: 460, height: 210 } },
            { ...at('in', 'template', 120, 90), parentId: 'each' },
        ],
        connections: [],
    } as unknown as Parameters<typeof openDrawing>[0]);
    changeNodes([{ type: 'dimensions', id: 'in', dimensions: { width: 190, height: 166 } }]);
    const { nodes, dirty } = useEditor.getState();
    const index = byId(nodes);
    const [each, inside] = [index.get('each'), index.get('in')];
    if (each === undefined || inside === undefined) throw new Error('both are there');
    const bottom = placeOf(inside, index).y + sizeOf(inside).height;
    expect(sizeOf(each).height).toBeGreaterThan(bottom);
    expect(dirty).toBe(false);
});
