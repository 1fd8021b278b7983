/* Connections: forward ones, those that lead back to the beginning of a loop (below the nodes, with the most passes
   beside them), and those that may not stand where they do. */
import {
    BaseEdge,
    EdgeLabelRenderer,
    getBezierPath,
    useInternalNode,
    type Edge,
    type EdgeProps,
    type InternalNode,
} from '@xyflow/react';
import { Repeat } from 'lucide-react';
import { memo } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '@/lib/format/format';
import css from './editor.module.css';
import { useKnown } from './known';
import { select, useEditor } from './store';

export type LoopEdgeType = Edge<Record<string, never>, 'loop'>;

const heightOf = (node: InternalNode | undefined): number =>
    node === undefined ? 0 : node.internals.positionAbsolute.y + (node.measured.height ?? 96);

/** Out to the right, round below both nodes, in from the left. */
export function loopPath(
    from: { x: number; y: number },
    to: { x: number; y: number },
    below: number,
): { path: string; label: { x: number; y: number } } {
    const r = 14;
    const right = from.x + 26;
    const left = to.x - 26;
    const path =
        `M ${String(from.x)} ${String(from.y)} H ${String(right - r)} Q ${String(right)} ${String(from.y)} ${String(right)} ${String(from.y + r)} ` +
        `V ${String(below - r)} Q ${String(right)} ${String(below)} ${String(right - r)} ${String(below)} ` +
        `H ${String(left + r)} Q ${String(left)} ${String(below)} ${String(left)} ${String(below - r)} ` +
        `V ${String(to.y + r)} Q ${String(left)} ${String(to.y)} ${String(left + r)} ${String(to.y)} H ${String(to.x)}`;
    return { path, label: { x: (left + right) / 2, y: below } };
}

export const LoopEdge = memo(function LoopEdge({
    source,
    target,
    sourceX,
    sourceY,
    targetX,
    targetY,
    markerEnd,
}: EdgeProps<LoopEdgeType>) {
    const { t } = useTranslation('editor');
    const { number } = useFormats();
    const { catalog } = useKnown();
    const most = useEditor((s) => {
        const head = s.nodes.find((node) => node.id === target);
        return Number(
            head?.data.config.maxIterations ??
                catalog.get(head?.data.type ?? '')?.fields?.find((field) => field.name === 'maxIterations')
                    ?.default ??
                1000,
        );
    });
    const passes = useEditor((s) => s.states[target]?.iterations);
    const from = useInternalNode(source);
    const to = useInternalNode(target);
    const { path, label } = loopPath(
        { x: sourceX, y: sourceY },
        { x: targetX, y: targetY },
        Math.max(heightOf(from), heightOf(to)) + 30,
    );
    const says =
        passes === undefined
            ? t('loop.most', { count: most, number: number(most) })
            : t('loop.passes', { passes: number(passes), most: number(most) });
    return (
        <>
            <BaseEdge
                path={path}
                className={css.loop ?? ''}
                {...(markerEnd !== undefined && { markerEnd })}
            />
            <EdgeLabelRenderer>
                <button
                    type="button"
                    className={`${css.loopLabel ?? ''} nodrag nopan`}
                    style={{
                        transform: `translate(-50%, -50%) translate(${String(label.x)}px, ${String(label.y)}px)`,
                    }}
                    title={t('loop.help', { node: target })}
                    onClick={() => {
                        select(target);
                    }}
                >
                    <Repeat size={11} aria-hidden />
                    {says}
                </button>
            </EdgeLabelRenderer>
        </>
    );
});

export type BrokenEdgeType = Edge<{ reason: string }, 'broken'>;
export const BrokenEdge = memo(function BrokenEdge(props: EdgeProps<BrokenEdgeType>) {
    const [path] = getBezierPath(props);
    return (
        <>
            <title>{props.data?.reason}</title>
            <BaseEdge path={path} className={css.broken ?? ''} />
        </>
    );
});
