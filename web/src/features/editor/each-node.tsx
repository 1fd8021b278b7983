/* A for-each: a frame around the nodes that it runs for each item. Its outer pins are on the frame's outside; `item`,
   `index` and `result` on the inside. */
import { Handle, NodeResizer, Position, type NodeProps } from '@xyflow/react';
import { memo } from 'react';
import { useTranslation } from 'react-i18next';
import { frame, isItemPin, smallest } from './containers';
import css from './editor.module.css';
import { useKnown } from './known';
import type { DrawnNode, Pin } from './model';
import { NodeBadges, NodeProblem, titleOf, toneOf, usePins } from './step-node';
import { beginResize, endResize, pinsUsed, useEditor } from './store';

export const EachNode = memo(function EachNode({ id, data, selected }: NodeProps<DrawnNode>) {
    const { t } = useTranslation('editor');
    const { catalog, texts } = useKnown();
    const type = catalog.get(data.type);
    const status = useEditor((s) => s.states[id]?.status);
    const over = useEditor((s) => s.over === id);
    const empty = useEditor((s) => !s.nodes.some((node) => node.parentId === id));
    const pins = usePins(id, type, false);
    const outputs = pins.outputs;
    // What is only ever set in the form needs no pin, unless something is connected to it.
    const used = useEditor((s) => pinsUsed(s.edges, id, '<')).split(' ');
    const inputs = pins.inputs.filter(
        (pin) => pin.required === true || pin.name === 'result' || used.includes(pin.name),
    );
    const concurrency = Number(data.config.concurrency ?? 1);
    return (
        <div
            className={css.each}
            style={toneOf(data.type, type)}
            data-selected={selected || undefined}
            data-status={status}
            data-over={over || undefined}
        >
            <NodeResizer
                isVisible={selected}
                minWidth={smallest.width}
                minHeight={smallest.height}
                lineClassName={css.resizeLine ?? ''}
                handleClassName={css.resizeHandle ?? ''}
                onResizeStart={beginResize}
                onResizeEnd={endResize}
            />
            <div className={css.stepHead}>
                <strong title={id}>{id}</strong>
                <span className={css.stepType}>
                    {texts.name(data.type, type?.name)}
                    {concurrency > 1 && ` · ${t('each.atOnce', { count: concurrency })}`}
                </span>
                <span className={css.spacer} />
                <NodeBadges id={id} />
            </div>
            <NodeProblem id={id} />
            <div className={css.eachLeft} style={{ width: frame.left - 12 }}>
                {inputs
                    .filter((pin) => pin.name !== 'result')
                    .map((pin) => (
                        <PinRow key={pin.name} pin={pin} side="left" kind="target" />
                    ))}
                <div className={css.eachInner}>
                    {outputs
                        .filter((pin) => isItemPin(pin.name))
                        .map((pin) => (
                            <PinRow key={pin.name} pin={pin} side="right" kind="source" />
                        ))}
                </div>
            </div>
            <div className={css.eachRight} style={{ width: frame.right - 12 }}>
                {outputs
                    .filter((pin) => !isItemPin(pin.name))
                    .map((pin) => (
                        <PinRow key={pin.name} pin={pin} side="right" kind="source" />
                    ))}
                <div className={css.eachInner}>
                    {inputs
                        .filter((pin) => pin.name === 'result')
                        .map((pin) => (
                            <PinRow key={pin.name} pin={pin} side="left" kind="target" />
                        ))}
                </div>
            </div>
            {empty && <p className={css.eachEmpty}>{t('each.empty')}</p>}
        </div>
    );
});

function PinRow({ pin, side, kind }: { pin: Pin; side: 'left' | 'right'; kind: 'source' | 'target' }) {
    const { speak } = useKnown();
    return (
        <div
            className={side === 'left' ? css.pin : `${css.pin ?? ''} ${css.out ?? ''}`}
            title={titleOf(pin, speak)}
        >
            {pin.name}
            <Handle type={kind} id={pin.name} position={side === 'left' ? Position.Left : Position.Right} />
        </div>
    );
}
