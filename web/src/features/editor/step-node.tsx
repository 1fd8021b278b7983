import { Handle, Position, useUpdateNodeInternals, type NodeProps } from '@xyflow/react';
import { Pin as PinIcon } from 'lucide-react';
import { memo, useCallback, useEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { useSaid } from '@/lib/said/said';
import { Status } from '@/ui/layout';
import css from './editor.module.css';
import type { Speak } from './field-texts';
import { useKnown } from './known';
import { isTrigger, outputsOf, type DrawnNode, type NodeType, type Pin } from './model';
import { pinsUsed, useEditor } from './store';

/** Pins that are always shown: what data comes through; other inputs when they are connected or the node is chosen, and
    mere settings, which can be connected too, when they are connected. */
const isMain = (pin: Pin): boolean => pin.required === true || ['array', 'object', 'any'].includes(pin.type);
const isSetting = (pin: Pin, type: NodeType): boolean =>
    type.fields?.find((field) => field.name === pin.name)?.pin === false;

export const categoryOf = (type: string, known: NodeType | undefined): string =>
    isTrigger(type) ? 'trigger' : (known?.category ?? 'logic');
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
                ...known.filter(
                    (pin) =>
                        taken.includes(pin.name) ||
                        (type !== undefined && !isSetting(pin, type) && (selected || isMain(pin))),
                ),
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

/** Why it failed; else what is wrong with its settings. That it is not connected is seen. */
export function NodeProblem({ id }: { id: string }) {
    const said = useSaid();
    const failed = useEditor((s) => s.states[id]?.error);
    const problem = useEditor((s) => s.problems[id]?.find((one) => one.bad || one.path !== ''));
    const text = failed != null ? said(failed) : problem?.text;
    return text === undefined ? null : (
        <div
            className={css.problem}
            data-tone={failed != null || problem?.bad === true ? 'bad' : 'warn'}
            lang={failed == null ? problem?.lang : undefined}
            title={text}
        >
            {text}
        </div>
    );
}
