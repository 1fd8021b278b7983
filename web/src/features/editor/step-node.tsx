import { Handle, Position, useUpdateNodeInternals, type NodeProps } from '@xyflow/react';
import { Pin as PinIcon } from 'lucide-react';
import { memo, useCallback, useEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { Status } from '@/ui/layout';
import css from './editor.module.css';
import type { Speak } from './field-texts';
import { useKnown } from './known';
import { outputsOf, type DrawnNode, type NodeType, type Pin } from './model';
import { pinsUsed, useEditor } from './store';

/** Pins that are always shown: what data comes through; the others when they are connected or the node is chosen. */
const isMain = (pin: Pin): boolean => pin.required === true || ['array', 'object', 'any'].includes(pin.type);

export const categoryOf = (type: string, known: NodeType | undefined): string =>
    type.endsWith('-trigger') ? 'trigger' : (known?.category ?? 'logic');
export const toneOf = (type: string, known: NodeType | undefined): React.CSSProperties =>
    ({ '--tone': `var(--cat-${categoryOf(type, known)})` }) as React.CSSProperties;

const anyOutput: Pin[] = [{ name: 'output', type: 'any' }];

const changed = new Set<string>();
/** Tells the canvas that the pins of a node stand elsewhere: of all nodes in one go, since each makes it look at all. */
function useMeasured(): (id: string) => void {
    const update = useUpdateNodeInternals();
    return useCallback(
        (id) => {
            if (changed.size === 0)
                queueMicrotask(() => {
                    update([...changed]);
                    changed.clear();
                });
            changed.add(id);
        },
        [update],
    );
}

/** The pins of a node that are shown; those that only a connection knows are shown too, so that it is seen. */
export function usePins(id: string, type: NodeType | undefined, selected: boolean) {
    const into = useEditor((s) => pinsUsed(s.edges, id, '<'));
    const out = useEditor((s) => pinsUsed(s.edges, id, '>'));
    const update = useMeasured();
    const pins = useMemo(() => {
        const taken = into.split(' ').filter(Boolean);
        const given = out.split(' ').filter(Boolean);
        const known = type?.inputs ?? [];
        const outputs = type === undefined ? anyOutput : outputsOf(type);
        const unknown = (names: string[], of: Pin[]): Pin[] =>
            names
                .filter((name) => !of.some((pin) => pin.name === name))
                .map((name) => ({ name, type: 'any' }));
        return {
            inputs: [
                ...known.filter((pin) => selected || isMain(pin) || taken.includes(pin.name)),
                ...unknown(taken, known),
            ],
            outputs: [...outputs, ...unknown(given, outputs)],
        };
    }, [into, out, type, selected]);
    const names = [...pins.inputs, ...pins.outputs].map((pin) => pin.name).join(' ');
    const measured = useRef(names); // as the canvas saw it first
    useEffect(() => {
        if (measured.current !== names) update(id);
        measured.current = names;
    }, [id, names, update]);
    return pins;
}

export const StepNode = memo(function StepNode({ id, data, selected }: NodeProps<DrawnNode>) {
    const { catalog, texts, speak } = useKnown();
    const type = catalog.get(data.type);
    const status = useEditor((s) => s.states[id]?.status);
    const { inputs, outputs } = usePins(id, type, selected);
    return (
        <div
            className={css.step}
            style={toneOf(data.type, type)}
            data-selected={selected || undefined}
            data-status={status}
        >
            <div className={css.stepHead}>
                <strong title={id}>{id}</strong>
                <NodeBadges id={id} />
            </div>
            <div className={css.stepType}>{texts.name(data.type, type?.name)}</div>
            <NodeProblem id={id} />
            <div className={css.pins}>
                <div>
                    {inputs.map((pin) => (
                        <div key={pin.name} className={css.pin} title={titleOf(pin, speak)}>
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
                            title={titleOf(pin, speak)}
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

export const titleOf = (pin: Pin, speak: Speak): string =>
    `${pin.name}: ${pin.type}${pin.description == null ? '' : `\n${speak(pin.description)}`}`;

/** What the last run made of it. */
export function NodeBadges({ id }: { id: string }) {
    const { t } = useTranslation('editor');
    const state = useEditor((s) => s.states[id]);
    const pinned = useEditor((s) => s.pins[id] !== undefined);
    return (
        <>
            {pinned && (
                <span className={css.pinned} title={t('pin.help')}>
                    <PinIcon size={12} aria-hidden />
                    <span className="visually-hidden">{t('pin.pinned')}</span>
                </span>
            )}
            {(state?.iterations ?? 0) > 1 && (
                <span className={css.times} title={t('iteration.ran', { count: state?.iterations ?? 0 })}>
                    ×{state?.iterations}
                </span>
            )}
            {state !== undefined && <Status status={state.status} />}
        </>
    );
}

export function NodeProblem({ id }: { id: string }) {
    const text = useEditor((s) => s.states[id]?.error ?? s.problems[id]);
    return text == null ? null : (
        <div className={css.problem} title={text}>
            {text}
        </div>
    );
}
