/* Draw a flow, run it, watch it. */
import '@xyflow/react/dist/base.css';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useBlocker, useNavigate, useParams } from '@tanstack/react-router';
import {
    Background,
    Controls,
    ReactFlow,
    ReactFlowProvider,
    useReactFlow,
    type FinalConnectionState,
} from '@xyflow/react';
import { Download, GitCompare, LayoutGrid, Play, Power, Redo2, Save, Square, Undo2, X } from 'lucide-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { isTyping, useKeyboardHelp } from '@/app/shortcuts';
import { matches } from '@/app/palette';
import { ApiError, call } from '@/lib/api/client';
import { isFinal, type Flow, type FlowCheck, type FlowVersion, type Json } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { Button, IconButton } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { SearchField, TextAreaField } from '@/ui/field';
import { Ago, ErrorState, Loading, Notice, Status, useTitle } from '@/ui/layout';
import { say, sayError } from '@/ui/toast';
import { changeFlow, createFlow, download, exported, getFlow, runFlow } from '../flows/api';
import { useCatalog } from './catalog';
import css from './editor.module.css';
import { Gantt } from './gantt';
import { Inspector } from './inspector';
import { differenceOf, flowOf, misfit, outputsOf, type NodeType } from './model';
import { useRun } from './run';
import { StepNode } from './step-node';
import {
    addNode,
    arrange,
    beginMove,
    changeEdges,
    changeNodes,
    connect,
    copy,
    markSaved,
    openDrawing,
    paste,
    redo,
    remove,
    rename,
    selectAll,
    undo,
    useEditor,
} from './store';

const nodeTypes = { step: StepNode };

export function EditorPage() {
    const { t } = useTranslation('editor');
    const { flowId } = useParams({ from: '/shell/flows/$flowId' });
    const isNew = flowId === 'new';
    const flow = useQuery({
        queryKey: ['flow', flowId],
        queryFn: ({ signal }) => getFlow(flowId, signal),
        enabled: !isNew,
        refetchOnWindowFocus: false,
    });
    const [opened, setOpened] = useState<string | null>(null);
    const first = flow.data;
    useEffect(() => {
        if (isNew) openDrawing({ name: t('newName'), nodes: [], connections: [] });
        else if (first?.id === flowId && opened !== flowId) openDrawing(first);
        else return;
        setOpened(flowId);
    }, [isNew, flowId, first, opened, t]);
    if (flow.isError) return <ErrorState error={flow.error} onRetry={() => void flow.refetch()} />;
    if (opened !== flowId) return <Loading />;
    return (
        <ReactFlowProvider>
            <Editor key={flowId} flow={flow.data} />
        </ReactFlowProvider>
    );
}

function useValidation(flow: Flow | undefined) {
    const nodes = useEditor((s) => s.nodes);
    const edges = useEditor((s) => s.edges);
    const name = useEditor((s) => s.name);
    const [body, setBody] = useState('');
    const text = useMemo(
        () =>
            JSON.stringify({
                name: name || '-',
                ...flowOf({ nodes, edges }),
                ...(flow?.settings != null && { settings: flow.settings }),
            }),
        [name, nodes, edges, flow?.settings],
    );
    useEffect(() => {
        const timer = window.setTimeout(() => {
            setBody(text);
        }, 400);
        return () => {
            window.clearTimeout(timer);
        };
    }, [text]);
    const check = useQuery<FlowCheck>({
        queryKey: ['validate', body],
        enabled: body !== '',
        gcTime: 0,
        placeholderData: keepPreviousData,
        queryFn: async ({ signal }) => {
            try {
                return await call<FlowCheck>('POST', '/api/v1/flows/validate', JSON.parse(body), signal);
            } catch (error) {
                if (!(error instanceof ApiError) || error.unreachable) throw error;
                const problems =
                    error.problems.length > 0
                        ? error.problems
                        : [{ code: error.code, message: error.message, field: error.field }];
                return { valid: false, errors: problems, warnings: [] };
            }
        },
    });
    const found = check.data;
    useEffect(() => {
        const problems: Record<string, string> = {};
        for (const problem of found?.errors ?? [])
            if (problem.nodeId != null) problems[problem.nodeId] ??= problem.message;
        useEditor.setState({ problems });
    }, [found]);
    return found;
}

function Editor({ flow }: { flow: Flow | undefined }) {
    const { t } = useTranslation('editor');
    const navigate = useNavigate();
    const queries = useQueryClient();
    const name = useEditor((s) => s.name);
    const dirty = useEditor((s) => s.dirty);
    const canUndo = useEditor((s) => s.past.length > 0);
    const canRedo = useEditor((s) => s.future.length > 0);
    const selected = useEditor((s) => {
        const chosen = s.nodes.filter((node) => node.selected);
        return chosen.length === 1 ? chosen[0] : undefined;
    });
    const editor = useMay('editor');
    const operator = useMay('operator');
    const [executionId, setExecutionId] = useState<string | null>(null);
    const [asking, setAsking] = useState(false);
    const [history, setHistory] = useState(false);
    const run = useRun(executionId);
    const check = useValidation(flow);
    useTitle(name);
    useBlocker({
        shouldBlockFn: () => useEditor.getState().dirty && !window.confirm(t('leave')),
        enableBeforeUnload: () => useEditor.getState().dirty,
    });

    const save = useMutation({
        mutationFn: async () => {
            const state = useEditor.getState();
            const body = { name: state.name, ...flowOf(state) };
            return flow === undefined ? createFlow(body) : changeFlow(flow.id, body);
        },
        onSuccess: async (saved) => {
            markSaved();
            queries.setQueryData(['flow', saved.id], saved);
            void queries.invalidateQueries({ queryKey: ['flows'] });
            void queries.invalidateQueries({ queryKey: ['versions', saved.id] });
            if (flow === undefined)
                await navigate({
                    to: '/flows/$flowId',
                    params: { flowId: saved.id },
                    replace: true,
                    ignoreBlocker: true,
                });
            else say(t('saved', { version: saved.version }));
        },
        onError: (error) => {
            sayError(error);
        },
    });
    const start = useMutation({
        mutationFn: async (input: Json | undefined) => {
            const saved = dirty || flow === undefined ? await save.mutateAsync() : flow;
            return runFlow(saved.id, input === undefined ? {} : { input });
        },
        onSuccess: ({ executionId: id }) => {
            useEditor.setState({ states: {} });
            setAsking(false);
            setExecutionId(id);
        },
        onError: (error) => {
            sayError(error);
        },
    });
    const switchOn = useMutation({
        mutationFn: () =>
            changeFlow(flow?.id ?? '', { status: flow?.status === 'active' ? 'inactive' : 'active' }),
        onSuccess: (saved) => {
            queries.setQueryData(['flow', saved.id], saved);
        },
        onError: (error) => {
            sayError(error);
        },
    });
    const act = useMutation({
        mutationFn: (verb: 'cancel' | 'retry') =>
            call<{ executionId?: string }>(
                'POST',
                `/api/v1/scheduler/executions/${executionId ?? ''}/${verb}`,
                verb === 'retry' ? { from: 'failed' } : {},
            ),
        onSuccess: (answer, verb) => {
            if (verb === 'retry' && answer.executionId !== undefined) setExecutionId(answer.executionId);
            else void run.refetch();
        },
        onError: (error) => {
            sayError(error);
        },
    });
    useEditorKeys(
        () => {
            if (editor && !save.isPending) save.mutate();
        },
        () => {
            if (operator) setAsking(true);
        },
    );
    const count = check?.errors.length ?? 0;
    return (
        <div className={css.editor}>
            <header className={css.bar}>
                <Link to="/flows">{t('common:nav.flows')}</Link>
                <h1 className="visually-hidden">{name}</h1>
                <input
                    aria-label={t('name')}
                    value={name}
                    maxLength={100}
                    readOnly={!editor}
                    onChange={(event) => {
                        rename(event.target.value);
                    }}
                />
                {flow !== undefined && <Status status={flow.status} />}
                <span role="status" className={count === 0 ? 'muted' : css.problem}>
                    {check === undefined ? '' : count === 0 ? t('valid') : t('problems', { count })}
                </span>
                <span className={css.spacer} />
                <IconButton icon={Undo2} label={t('undo')} keys="Ctrl Z" disabled={!canUndo} onClick={undo} />
                <IconButton
                    icon={Redo2}
                    label={t('redo')}
                    keys="Ctrl Shift Z"
                    disabled={!canRedo}
                    onClick={redo}
                />
                <IconButton icon={LayoutGrid} label={t('arrange')} onClick={arrange} />
                {flow !== undefined && (
                    <>
                        <IconButton
                            icon={Download}
                            label={t('export')}
                            onClick={() => {
                                download(
                                    `${name}.json`,
                                    JSON.stringify(
                                        { ...exported(flow), name, ...flowOf(useEditor.getState()) },
                                        null,
                                        2,
                                    ) + '\n',
                                );
                            }}
                        />
                        <IconButton
                            icon={GitCompare}
                            label={t('versions')}
                            onClick={() => {
                                setHistory(true);
                            }}
                        />
                        {editor && (
                            <Button
                                icon={Power}
                                busy={switchOn.isPending}
                                onClick={() => {
                                    switchOn.mutate();
                                }}
                            >
                                {t(flow.status === 'active' ? 'deactivate' : 'activate')}
                            </Button>
                        )}
                    </>
                )}
                {editor && (
                    <Button
                        icon={Save}
                        busy={save.isPending}
                        disabled={!dirty && flow !== undefined}
                        onClick={() => {
                            save.mutate();
                        }}
                    >
                        {t('save')}
                    </Button>
                )}
                {operator && (
                    <Button
                        variant="primary"
                        icon={Play}
                        busy={start.isPending}
                        onClick={() => {
                            setAsking(true);
                        }}
                    >
                        {t('run')}
                    </Button>
                )}
            </header>
            <Palette />
            <Canvas />
            <aside className={css.side} aria-label={t('settings')}>
                {selected === undefined ? (
                    <div className={css.panel}>
                        <p className="muted">{t('pickNode')}</p>
                        {check?.errors.map((problem, index) => (
                            <Notice key={index}>{problem.message}</Notice>
                        ))}
                        {check?.warnings.map((problem, index) => (
                            <Notice key={index} tone="warn">
                                {problem.message}
                            </Notice>
                        ))}
                    </div>
                ) : (
                    <Inspector node={selected} execution={run.data} />
                )}
            </aside>
            {executionId !== null && (
                <section className={css.bottom} aria-label={t('execution')}>
                    <div className={css.bottomHead}>
                        <h2>{t('execution')}</h2>
                        {run.data !== undefined && <Status status={run.data.status} />}
                        <Link to="/executions/$executionId" params={{ executionId }}>
                            {t('open')}
                        </Link>
                        <span className={css.spacer} />
                        {run.data !== undefined && !isFinal(run.data.status) && (
                            <Button
                                small
                                icon={Square}
                                onClick={() => {
                                    act.mutate('cancel');
                                }}
                            >
                                {t('cancel')}
                            </Button>
                        )}
                        {run.data?.status === 'failed' && (
                            <Button
                                small
                                icon={Play}
                                onClick={() => {
                                    act.mutate('retry');
                                }}
                            >
                                {t('retry')}
                            </Button>
                        )}
                        <IconButton
                            small
                            icon={X}
                            label={t('hide')}
                            onClick={() => {
                                setExecutionId(null);
                                useEditor.setState({ states: {} });
                            }}
                        />
                    </div>
                    {run.data?.errorMessage != null && <Notice>{run.data.errorMessage}</Notice>}
                    {run.data !== undefined && run.data.nodeExecutions.length > 0 && (
                        <Gantt nodes={run.data.nodeExecutions} onChoose={choose} />
                    )}
                </section>
            )}
            {asking && (
                <RunDialog
                    busy={start.isPending}
                    onClose={() => {
                        setAsking(false);
                    }}
                    onRun={(input) => {
                        start.mutate(input);
                    }}
                />
            )}
            {history && flow !== undefined && (
                <Versions
                    flow={flow}
                    onClose={() => {
                        setHistory(false);
                    }}
                />
            )}
        </div>
    );
}

function choose(id: string): void {
    useEditor.setState((s) => ({ nodes: s.nodes.map((node) => ({ ...node, selected: node.id === id })) }));
}

function Canvas() {
    const { t } = useTranslation('editor');
    const catalog = useCatalog();
    const nodes = useEditor((s) => s.nodes);
    const edges = useEditor((s) => s.edges);
    const { screenToFlowPosition } = useReactFlow();
    const isValidConnection = useCallback(
        (c: { source: string; target: string; sourceHandle?: string | null; targetHandle?: string | null }) =>
            misfit(c, useEditor.getState(), catalog) === null,
        [catalog],
    );
    const onConnectEnd = (_event: unknown, state: FinalConnectionState): void => {
        if (state.isValid !== false || state.fromHandle === null || state.toHandle === null) return;
        const forward = state.fromHandle.type === 'source';
        const [from, to] = forward ? [state.fromHandle, state.toHandle] : [state.toHandle, state.fromHandle];
        const why = misfit(
            {
                source: from.nodeId,
                target: to.nodeId,
                sourceHandle: from.id ?? null,
                targetHandle: to.id ?? null,
            },
            useEditor.getState(),
            catalog,
        );
        if (why !== null)
            sayError(
                new Error(t(`misfit.${why.reason}`, why as unknown as Record<string, string>)),
                t('misfit.title'),
            );
    };
    return (
        <div
            className={css.canvas}
            role="group"
            aria-label={t('canvas')}
            onDragOver={(event) => {
                event.preventDefault();
            }}
            onDrop={(event) => {
                const type = catalog.get(event.dataTransfer.getData('text/x-caudal-node'));
                if (type !== undefined)
                    addNode(type, screenToFlowPosition({ x: event.clientX, y: event.clientY }));
            }}
        >
            {nodes.length === 0 && <div className={css.empty}>{t('start')}</div>}
            <ReactFlow
                nodes={nodes}
                edges={edges}
                nodeTypes={nodeTypes}
                onNodesChange={changeNodes}
                onEdgesChange={changeEdges}
                onNodeDragStart={beginMove}
                onConnect={(c) => {
                    connect({
                        fromNodeId: c.source,
                        fromOutput: c.sourceHandle ?? 'output',
                        toNodeId: c.target,
                        toInput: c.targetHandle ?? 'input',
                    });
                }}
                onConnectEnd={onConnectEnd}
                isValidConnection={isValidConnection}
                deleteKeyCode={null}
                selectionKeyCode="Shift"
                fitView
                fitViewOptions={{ maxZoom: 1, padding: 0.15 }}
                minZoom={0.1}
                proOptions={{ hideAttribution: true }}
            >
                <Background gap={22} size={1.4} color="var(--line)" />
                <Controls showInteractive={false} />
            </ReactFlow>
        </div>
    );
}

function Palette() {
    const { t } = useTranslation('editor');
    const catalog = useCatalog();
    const [query, setQuery] = useState('');
    const { screenToFlowPosition } = useReactFlow();
    const place = useRef(0);
    const groups = useMemo(() => {
        const found = new Map<string, NodeType[]>();
        for (const type of catalog.values())
            if (matches(`${type.name} ${type.type} ${type.description ?? ''}`, query.trim())) {
                const category = type.type.endsWith('-trigger') ? 'trigger' : type.category;
                found.set(category, [...(found.get(category) ?? []), type]);
            }
        return [...found].sort(([a], [b]) =>
            a === 'trigger' ? -1 : b === 'trigger' ? 1 : a.localeCompare(b),
        );
    }, [catalog, query]);
    const add = (type: NodeType): void => {
        const { nodes } = useEditor.getState();
        const chosen = nodes.find((node) => node.selected);
        const canvas = document.querySelector(`.${css.canvas ?? ''}`)?.getBoundingClientRect();
        const middle = screenToFlowPosition({
            x: (canvas?.left ?? 0) + (canvas?.width ?? 400) / 2 - 110,
            y: (canvas?.top ?? 0) + (canvas?.height ?? 400) / 2 - 60,
        });
        const step = (place.current++ % 6) * 28;
        const id = addNode(
            type,
            chosen === undefined
                ? { x: middle.x + step, y: middle.y + step }
                : { x: chosen.position.x + 300, y: chosen.position.y },
        );
        // What follows the chosen node is connected to it where the pins leave no doubt.
        const before = chosen === undefined ? undefined : catalog.get(chosen.data.type);
        if (chosen === undefined || before === undefined) return;
        const state = useEditor.getState();
        for (const output of outputsOf(before).filter((pin) => pin.name !== 'error'))
            for (const input of type.inputs)
                if (
                    misfit(
                        {
                            source: chosen.id,
                            sourceHandle: output.name,
                            target: id,
                            targetHandle: input.name,
                        },
                        state,
                        catalog,
                    ) === null
                ) {
                    connect({
                        fromNodeId: chosen.id,
                        fromOutput: output.name,
                        toNodeId: id,
                        toInput: input.name,
                    });
                    return;
                }
    };
    return (
        <aside className={css.palette} aria-label={t('nodes')}>
            <SearchField label={t('search')} value={query} onChange={setQuery} />
            <div className={css.types}>
                {groups.map(([category, types]) => (
                    <div key={category}>
                        <h2 className={css.category}>{category}</h2>
                        {types.map((type) => (
                            <button
                                key={type.type}
                                type="button"
                                draggable
                                className={css.kind}
                                style={{ '--tone': `var(--cat-${category})` } as React.CSSProperties}
                                onClick={() => {
                                    add(type);
                                }}
                                onDragStart={(event) => {
                                    event.dataTransfer.setData('text/x-caudal-node', type.type);
                                }}
                            >
                                {type.name}
                                <small>{type.description}</small>
                            </button>
                        ))}
                    </div>
                ))}
                {groups.length === 0 && catalog.size > 0 && <p className="muted">{t('noNode')}</p>}
            </div>
        </aside>
    );
}

function RunDialog({
    busy,
    onClose,
    onRun,
}: {
    busy: boolean;
    onClose: () => void;
    onRun: (input: Json | undefined) => void;
}) {
    const { t } = useTranslation('editor');
    const [text, setText] = useState('');
    const [bad, setBad] = useState(false);
    const submit = (): void => {
        if (text.trim() === '') onRun(undefined);
        else
            try {
                onRun(JSON.parse(text) as Json);
            } catch {
                setBad(true);
            }
    };
    return (
        <Dialog
            open
            title={t('runTitle')}
            description={t('runHelp')}
            onClose={onClose}
            onSubmit={submit}
            footer={
                <Button type="submit" variant="primary" icon={Play} busy={busy}>
                    {t('run')}
                </Button>
            }
        >
            <TextAreaField
                label={t('runInput')}
                className="mono"
                value={text}
                problem={bad ? t('noJson') : null}
                onChange={(next) => {
                    setText(next);
                    setBad(false);
                }}
            />
        </Dialog>
    );
}

function Versions({ flow, onClose }: { flow: Flow; onClose: () => void }) {
    const { t } = useTranslation('editor');
    const queries = useQueryClient();
    const editor = useMay('editor');
    const [other, setOther] = useState<number | null>(null);
    const versions = useQuery({
        queryKey: ['versions', flow.id],
        queryFn: ({ signal }) =>
            call<FlowVersion[]>('GET', `/api/v1/flows/${flow.id}/versions`, undefined, signal),
    });
    const compared = useQuery({
        queryKey: ['versions', flow.id, other],
        enabled: other !== null,
        queryFn: ({ signal }) =>
            call<Flow>('GET', `/api/v1/flows/${flow.id}/versions/${String(other)}`, undefined, signal),
    });
    const restore = useMutation({
        mutationFn: (version: number) =>
            call<Flow>('POST', `/api/v1/flows/${flow.id}/versions/${String(version)}/rollback`, {}),
        onSuccess: (restored, version) => {
            queries.setQueryData(['flow', flow.id], restored);
            openDrawing(restored);
            say(t('restored', { version }));
            onClose();
        },
        onError: (error) => {
            sayError(error);
        },
    });
    const difference =
        compared.data === undefined ? null : differenceOf(compared.data, flowOf(useEditor.getState()));
    const parts = (['added', 'removed', 'changed', 'moved'] as const).filter(
        (part) => (difference?.[part].length ?? 0) > 0,
    );
    return (
        <Dialog open title={t('versions')} onClose={onClose}>
            {versions.isPending && <Loading />}
            {versions.data?.map((version) => (
                <div key={version.version} className={css.bottomHead}>
                    <strong>{t('version', { version: version.version })}</strong>
                    <Ago at={version.createdAt} />
                    <span className={css.spacer} />
                    <Button
                        small
                        icon={GitCompare}
                        onClick={() => {
                            setOther(version.version);
                        }}
                    >
                        {t('compare')}
                    </Button>
                    {editor && version.version < flow.version && (
                        <Button
                            small
                            busy={restore.isPending}
                            onClick={() => {
                                restore.mutate(version.version);
                            }}
                        >
                            {t('restore')}
                        </Button>
                    )}
                </div>
            ))}
            {difference !== null && (
                <Notice tone="info">
                    {parts.length === 0
                        ? t('differenceNone')
                        : parts.map((part) => (
                              <div
                                  key={part}
                              >{`${t(`difference.${part}`)}: ${difference[part].join(', ')}`}</div>
                          ))}
                </Notice>
            )}
        </Dialog>
    );
}

function useEditorKeys(onSave: () => void, onRun: () => void): void {
    const { t } = useTranslation('editor');
    const latest = useRef({ onSave, onRun });
    latest.current = { onSave, onRun };
    useKeyboardHelp(t('title'), [
        ['/', t('keys.add')],
        ['Ctrl S', t('keys.save')],
        ['Ctrl Enter', t('keys.run')],
        ['Ctrl Z', t('keys.undo')],
        ['Ctrl C, V', t('keys.copy')],
        ['Ctrl A', t('keys.all')],
        ['Del', t('keys.delete')],
        ['← ↑ → ↓', t('keys.move')],
    ]);
    useEffect(() => {
        const onKey = (event: KeyboardEvent): void => {
            const typing = isTyping(event.composedPath()[0] ?? null) || isTyping(event.target);
            const control = event.ctrlKey || event.metaKey;
            const key = event.key.toLowerCase();
            if (document.querySelector('[role="dialog"], [role="alertdialog"]') !== null) return;
            let work: (() => void) | null = null;
            if (control && key === 's') work = latest.current.onSave;
            else if (control && key === 'enter') work = latest.current.onRun;
            else if (typing) return;
            else if (control && key === 'z') work = event.shiftKey ? redo : undo;
            else if (control && key === 'c' && window.getSelection()?.isCollapsed !== false) work = copy;
            else if (control && key === 'v') work = paste;
            else if (control && key === 'a') work = selectAll;
            else if (!control && (key === 'delete' || key === 'backspace')) work = remove;
            else if (!control && key === '/')
                work = () => {
                    document.querySelector<HTMLInputElement>(`.${css.palette ?? ''} input`)?.focus();
                };
            if (work === null) return;
            event.preventDefault();
            work();
        };
        window.addEventListener('keydown', onKey);
        return () => {
            window.removeEventListener('keydown', onKey);
        };
    }, []);
}
