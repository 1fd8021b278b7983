import { Handle, Position, useUpdateNodeInternals, type NodeProps } from '@xyflow/react';
import { memo, useEffect } from 'react';
import { Status } from '@/ui/layout';
import { useCatalog } from './catalog';
import css from './editor.module.css';
import { outputsOf, type DrawnNode, type Pin } from './model';
import { useEditor } from './store';

/** Pins that are always shown: what data comes through; the others when they are connected or the node is chosen. */
const isMain = (pin: Pin): boolean => pin.required === true || ['array', 'object', 'any'].includes(pin.type);

export const StepNode = memo(function StepNode({ id, data, selected }: NodeProps<DrawnNode>) {
    const catalog = useCatalog();
    const type = catalog.get(data.type);
    const state = useEditor((s) => s.states[id]);
    const problem = useEditor((s) => s.problems[id]);
    const used = useEditor((s) =>
        s.edges
            .filter((edge) => edge.target === id)
            .map((edge) => edge.targetHandle ?? 'input')
            .join(' '),
    );
    const update = useUpdateNodeInternals();
    const taken = used.split(' ').filter(Boolean);
    const known = type?.inputs ?? [];
    const shown = known.filter((pin) => selected || isMain(pin) || taken.includes(pin.name));
    const inputs = [
        ...shown,
        ...taken
            .filter((name) => !known.some((pin) => pin.name === name))
            .map((name) => ({ name, type: 'any' })),
    ];
    const outputs = type === undefined ? [{ name: 'output', type: 'any' }] : outputsOf(type);
    const names = inputs.map((pin) => pin.name).join(' ');
    useEffect(() => {
        update(id);
    }, [id, names, update]);
    return (
        <div
            className={css.step}
            style={
                {
                    '--tone': `var(--cat-${data.type.endsWith('-trigger') ? 'trigger' : (type?.category ?? 'logic')})`,
                } as React.CSSProperties
            }
            data-selected={selected || undefined}
            data-status={state?.status}
        >
            <div className={css.stepHead}>
                <strong title={id}>{id}</strong>
                {state !== undefined && <Status status={state.status} />}
            </div>
            <div className={css.stepType}>{type?.name ?? data.type}</div>
            {(state?.error ?? problem) != null && (
                <div className={css.problem}>{state?.error ?? problem}</div>
            )}
            <div className={css.pins}>
                <div>
                    {inputs.map((pin) => (
                        <div key={pin.name} className={css.pin} title={`${pin.name}: ${pin.type}`}>
                            <Handle type="target" id={pin.name} position={Position.Left} />
                            {pin.name}
                        </div>
                    ))}
                </div>
                <div>
                    {outputs.map((pin) => (
                        <div
                            key={pin.name}
                            className={`${css.pin ?? ''} ${css.out ?? ''}`}
                            title={`${pin.name}: ${pin.type}`}
                        >
                            {pin.name}
                            <Handle type="source" id={pin.name} position={Position.Right} />
                        </div>
                    ))}
                </div>
            </div>
        </div>
    );
});
