/* One node: its settings, its documentation, and what it did in the last run. */
import { Pencil, Pin as PinIcon, PinOff, StepForward, Trash2 } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { ExecutionDetail, Json, NodeExecution } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { useFormats } from '@/lib/format/format';
import { Said } from '@/lib/said/said';
import { Button, IconButton } from '@/ui/button';
import { DataView } from '@/ui/data-view';
import { SelectField, TextAreaField, TextField } from '@/ui/field';
import { Failure, Loading, Notice, Status, tableClass } from '@/ui/layout';
import { Tabs } from '@/ui/tabs';
import { sayError } from '@/ui/toast';
import { useCatalog } from './catalog';
import { isContainer, withInside } from './containers';
import { Documentation } from './documentation';
import css from './editor.module.css';
import { useFields } from './field-texts';
import { FieldInput } from './fields-form';
import { PlaceContext } from './knowledge';
import { isTrigger, misfit, outputsOf, type DrawnNode } from './model';
import { ProblemsContext, type NodeProblem } from './problems';
import { useLogs } from './run';
import { configure, connect, moveInto, pin, remove, renameNode, useEditor } from './store';

export function Inspector({
    node,
    execution,
    flowId,
    onRunTo,
}: {
    node: DrawnNode;
    /** undefined: the flow was never saved. */
    flowId: string | undefined;
    execution: ExecutionDetail | undefined;
    /** Runs what the node needs, and the node; undefined: not allowed. */
    onRunTo: ((id: string) => void) | undefined;
}) {
    const { t } = useTranslation('editor');
    const [tab, setTab] = useState<'settings' | 'output' | 'input' | 'logs' | 'doc'>('settings');
    const ran = (execution?.nodeExecutions as NodeExecution[] | undefined)
        ?.filter((one) => one.nodeId === node.id)
        .at(-1);
    const editor = useMay('editor');
    const pinned = useEditor((s) => s.pins[node.id] !== undefined);
    const place = useMemo(() => ({ flowId, nodeId: node.id, execution }), [flowId, node.id, execution]);
    return (
        <div className={css.panel}>
            <NodeName key={node.id} node={node} />
            {onRunTo !== undefined && (
                <div className={css.bottomHead} style={{ margin: 0 }}>
                    <Button
                        small
                        icon={StepForward}
                        onClick={() => {
                            onRunTo(node.id);
                        }}
                    >
                        {t('runTo')}
                    </Button>
                </div>
            )}
            <Tabs
                label={node.id}
                value={tab}
                onChange={setTab}
                tabs={[
                    {
                        value: 'settings',
                        label: t('settings'),
                        content: (
                            <PlaceContext.Provider value={place}>
                                <fieldset className={css.whole} disabled={!editor}>
                                    <Settings key={node.id} node={node} />
                                </fieldset>
                            </PlaceContext.Provider>
                        ),
                    },
                    ...(execution === undefined
                        ? []
                        : [
                              {
                                  value: 'input' as const,
                                  label: t('input'),
                                  content: <Ran key={node.id} ran={ran} part="input" />,
                              },
                          ]),
                    ...(execution === undefined && !pinned
                        ? []
                        : [
                              {
                                  value: 'output' as const,
                                  label: t('output'),
                                  content: (
                                      <>
                                          <Pinned key={node.id} id={node.id} />
                                          {execution !== undefined && (
                                              <Ran key={`ran ${node.id}`} ran={ran} part="output" />
                                          )}
                                      </>
                                  ),
                              },
                          ]),
                    ...(execution === undefined
                        ? []
                        : [
                              {
                                  value: 'logs' as const,
                                  label: t('logs'),
                                  content: (
                                      <Logs
                                          executionId={execution.id}
                                          nodeId={node.id}
                                          status={execution.status}
                                      />
                                  ),
                              },
                          ]),
                    { value: 'doc', label: t('doc'), content: <Documentation type={node.data.type} /> },
                ]}
            />
        </div>
    );
}

function NodeName({ node }: { node: DrawnNode }) {
    const { t } = useTranslation('editor');
    const [name, setName] = useState(node.id);
    const [bad, setBad] = useState(false);
    const editor = useMay('editor');
    return (
        <div className={css.bottomHead}>
            <TextField
                label={t('nodeId')}
                value={name}
                readOnly={!editor}
                problem={bad ? t('nodeIdBad') : null}
                onChange={setName}
                onBlur={() => {
                    setBad(name !== node.id && !renameNode(node.id, name));
                }}
            />
            {editor && <IconButton icon={Trash2} label={t('delete')} keys="Del" onClick={remove} />}
        </div>
    );
}

const none: NodeProblem[] = [];
function Settings({ node }: { node: DrawnNode }) {
    const { t } = useTranslation('editor');
    const catalog = useCatalog();
    const problems = useEditor((s) => s.problems[node.id]) ?? none;
    const type = catalog.get(node.data.type);
    const fields = useFields(type?.fields);
    if (type === undefined) return <Notice>{node.data.type}</Notice>;
    const groups = [...new Set(fields.map((field) => field.group ?? ''))];
    const names = new Set(fields.map((field) => field.name));
    const elsewhere = problems.filter((problem) => !names.has(problem.path.split(/[.[]/, 1)[0] ?? ''));
    return (
        <ProblemsContext.Provider value={problems}>
            <div className={css.panel} style={{ padding: 0 }}>
                {elsewhere.map((problem) => (
                    <Notice key={problem.text} tone={problem.bad ? 'bad' : 'warn'}>
                        <span lang={problem.lang}>{problem.text}</span>
                    </Notice>
                ))}
                {groups.map((group) => {
                    const own = fields.filter((field) => (field.group ?? '') === group);
                    const wrong = own.some((field) =>
                        problems.some((problem) => problem.path.split(/[.[]/, 1)[0] === field.name),
                    );
                    const inputs = own.map((field) => (
                        <FieldInput
                            key={field.name}
                            field={field}
                            path={field.name}
                            value={node.data.config[field.name]}
                            onChange={(value) => {
                                configure(node.id, field.name, value);
                            }}
                        />
                    ));
                    return group === '' ? (
                        inputs
                    ) : (
                        <details key={group} open={wrong || undefined}>
                            <summary>{group}</summary>
                            <div className={css.panel}>{inputs}</div>
                        </details>
                    );
                })}
                <Connector node={node} label={t('connectTo')} />
                <Inside node={node} />
            </div>
        </ProblemsContext.Provider>
    );
}

/** Connecting without a pointer: the pins that fit, by name. */
function Connector({ node, label }: { node: DrawnNode; label: string }) {
    const { t } = useTranslation('editor');
    const catalog = useCatalog();
    const nodes = useEditor((s) => s.nodes);
    const edges = useEditor((s) => s.edges);
    const type = catalog.get(node.data.type);
    const options = (type === undefined ? [] : outputsOf(type)).flatMap((output) =>
        nodes.flatMap((target) =>
            (catalog.get(target.data.type)?.inputs ?? []).flatMap((input) => {
                const connection = {
                    source: node.id,
                    sourceHandle: output.name,
                    target: target.id,
                    targetHandle: input.name,
                };
                if (misfit(connection, { nodes, edges }, catalog) !== null) return [];
                return [
                    {
                        value: JSON.stringify(connection),
                        label: `${output.name} → ${target.id}.${input.name}`,
                    },
                ];
            }),
        ),
    );
    if (options.length === 0) return null;
    return (
        <SelectField
            label={label}
            value=""
            options={[{ value: '', label: t('connectChoose') }, ...options]}
            onChange={(value) => {
                if (value === '') return;
                const c = JSON.parse(value) as {
                    source: string;
                    sourceHandle: string;
                    target: string;
                    targetHandle: string;
                };
                connect({
                    fromNodeId: c.source,
                    fromOutput: c.sourceHandle,
                    toNodeId: c.target,
                    toInput: c.targetHandle,
                });
            }}
        />
    );
}

/** Into a for-each, or out of it, without a pointer. */
function Inside({ node }: { node: DrawnNode }) {
    const { t } = useTranslation('editor');
    const nodes = useEditor((s) => s.nodes);
    const inner = withInside(new Set([node.id]), nodes);
    const containers = nodes.filter((one) => isContainer(one.data.type) && !inner.has(one.id));
    if (containers.length === 0 || isTrigger(node.data.type)) return null;
    return (
        <SelectField
            label={t('inside')}
            value={node.parentId ?? ''}
            options={[
                { value: '', label: t('insideNone') },
                ...containers.map(({ id }) => ({ value: id, label: id })),
            ]}
            onChange={(value) => {
                if (value !== (node.parentId ?? '')) moveInto(node.id, value === '' ? null : value);
            }}
        />
    );
}

/** Test data of the node: what stands for its output, changed or taken away here. */
function Pinned({ id }: { id: string }) {
    const { t } = useTranslation('editor');
    const outputs = useEditor((s) => s.pins[id]);
    const [text, setText] = useState<string | null>(null);
    const [bad, setBad] = useState(false);
    if (outputs === undefined) return null;
    const keep = (): void => {
        try {
            const next = JSON.parse(text ?? '') as Json;
            if (typeof next !== 'object' || next === null || Array.isArray(next))
                throw new Error('no object');
            pin(id, next);
            setText(null);
        } catch {
            setBad(true);
        }
    };
    return (
        <div className={css.panel} style={{ padding: 0 }}>
            <Notice tone="info">{t('pin.help')}</Notice>
            {text === null ? (
                <DataView label={t('pin.data')} value={outputs} />
            ) : (
                <TextAreaField
                    label={t('pin.data')}
                    help={t('pin.shape')}
                    className="mono"
                    rows={10}
                    value={text}
                    problem={bad ? t('pin.bad') : null}
                    onChange={(next) => {
                        setText(next);
                        setBad(false);
                    }}
                />
            )}
            <div className={css.bottomHead}>
                {text === null ? (
                    <Button
                        small
                        icon={Pencil}
                        onClick={() => {
                            setText(JSON.stringify(outputs, null, 2));
                        }}
                    >
                        {t('pin.edit')}
                    </Button>
                ) : (
                    <Button small variant="primary" onClick={keep}>
                        {t('pin.keep')}
                    </Button>
                )}
                <Button
                    small
                    icon={PinOff}
                    onClick={() => {
                        pin(id, null);
                    }}
                >
                    {t('pin.unpin')}
                </Button>
            </div>
        </div>
    );
}

/** What goes with the flow must not make it heavy. */
const PIN_BYTES = 256 << 10;
function PinButton({ id, output }: { id: string; output: unknown }) {
    const { t } = useTranslation('editor');
    const pinned = useEditor((s) => s.pins[id] !== undefined);
    const may = useMay('editor');
    if (!may || pinned || typeof output !== 'object' || output === null || Array.isArray(output)) return null;
    return (
        <Button
            small
            icon={PinIcon}
            onClick={() => {
                if (JSON.stringify(output).length > PIN_BYTES) sayError(t('pin.large'));
                else pin(id, output as Record<string, Json>);
            }}
        >
            {t('pin.pin')}
        </Button>
    );
}

function Ran({ ran, part }: { ran: NodeExecution | undefined; part: 'input' | 'output' }) {
    const { t } = useTranslation('editor');
    const { duration, time } = useFormats();
    const [pass, setPass] = useState('');
    if (ran === undefined) return <p className="muted">{t('noRun')}</p>;
    // The last pass tells for the node; those before stand in it.
    const passes = [...(ran.iterations ?? []), ran];
    const shown = passes.find((one) => one.iteration === pass) ?? ran;
    const all = ran.iterationCount ?? passes.length;
    return (
        <div className={css.panel} style={{ padding: 0 }}>
            {passes.length > 1 && (
                <SelectField
                    label={t('iteration.label', { count: all })}
                    help={all > passes.length ? t('iteration.kept', { count: passes.length }) : undefined}
                    value={shown.iteration ?? ''}
                    options={passes.map((one) => ({
                        value: one.iteration ?? '',
                        label: `${one.iteration ?? ''} · ${t(`common:status.${one.status}`, { defaultValue: one.status })}`,
                    }))}
                    onChange={setPass}
                />
            )}
            <div className={css.bottomHead}>
                <Status status={shown.status} />
                <span className="num">{duration(shown.duration)}</span>
                <span className={css.spacer} />
                {part === 'output' && <PinButton id={ran.nodeId} output={shown.output} />}
            </div>
            {shown.errorMessage !== null && <Failure error={shown.errorMessage} />}
            <DataView label={t(part)} value={shown[part]} />
            {part === 'output' && shown.attempts !== undefined && shown.attempts.length > 0 && (
                <table className={tableClass}>
                    <caption>{t('attempts')}</caption>
                    <tbody>
                        {shown.attempts.map((attempt) => (
                            <tr key={attempt.attempt}>
                                <td>{attempt.attempt}</td>
                                <td>
                                    <Status status={attempt.status} />
                                </td>
                                <td>{attempt.startTime != null && time(attempt.startTime)}</td>
                                <td>{attempt.error != null && <Said>{attempt.error}</Said>}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            )}
        </div>
    );
}

function Logs({ executionId, nodeId, status }: { executionId: string; nodeId: string; status: string }) {
    const { t } = useTranslation('editor');
    const { time } = useFormats();
    const logs = useLogs(executionId, nodeId, status);
    if (logs.isPending) return <Loading lines={3} />;
    if (logs.isError) return <Failure error={logs.error} />;
    if (logs.data.length === 0) return <p className="muted">{t('noLogs')}</p>;
    return (
        <ul className={css.panel} style={{ padding: 0 }}>
            {logs.data.map((line, index) => (
                <li key={index}>
                    <span className="mono muted">
                        {time(line.timestamp)} {line.level}
                    </span>{' '}
                    {line.message}
                </li>
            ))}
        </ul>
    );
}
