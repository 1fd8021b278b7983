/* Draw a flow, run it, watch it. */
import '@xyflow/react/dist/base.css';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useBlocker, useNavigate, useParams } from '@tanstack/react-router';
import { ReactFlowProvider, useReactFlow } from '@xyflow/react';
import {
    Download,
    Eye,
    GitCompare,
    LayoutGrid,
    ListVideo,
    Play,
    Power,
    Redo2,
    Rocket,
    RotateCcw,
    Save,
    Square,
    TriangleAlert,
    Undo2,
    X,
} from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, call } from '@/lib/api/client';
import {
    isFinal,
    type Config,
    type Execution,
    type Flow,
    type FlowCheck,
    type Json,
    type Page,
} from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { Button, IconButton } from '@/ui/button';
import { ErrorState, Failure, Loading, Notice, Status, useTitle } from '@/ui/layout';
import { say, sayError } from '@/ui/toast';
import { changeFlow, createFlow, download, exported, getFlow, runFlow, type FlowBody } from '../flows/api';
import { Canvas } from './canvas';
import { freeFrom } from './containers';
import css from './editor.module.css';
import { Gantt } from './gantt';
import { Inspector } from './inspector';
import { useEditorKeys } from './keys';
import { flowOf, isTrigger, settingsOf, type DrawnNode } from './model';
import { NoteInspector } from './note-inspector';
import { Palette } from './palette';
import { useReader, type NodeProblem } from './problems';
import { useRun } from './run';
import { PublishDialog, PublishedBadge } from './publish';
import { RunDialog, type RunWish } from './run-dialog';
import {
    addNote,
    arrange,
    markSaved,
    openDrawing,
    redo,
    rename,
    select,
    selectNone,
    undo,
    useEditor,
    pinsOf,
    type Pins,
} from './store';
import { Versions } from './versions';

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

/** Pinned data goes with the flow, beside what others keep there. */
function metadataOf(metadata: Config | null | undefined, pins: Pins): Config | null {
    const { pins: _former, ...rest } = metadata ?? {};
    const all: Config = Object.keys(pins).length === 0 ? rest : { ...rest, pins };
    return Object.keys(all).length === 0 ? null : all;
}
/** Who has given a new flow no name is not asked for another one: it becomes "New flow 2". */
async function createNamed(body: FlowBody, newName: string): Promise<Flow> {
    for (let n = 1; ; n++) {
        try {
            return await createFlow(n === 1 ? body : { ...body, name: `${newName} ${String(n)}` });
        } catch (error) {
            const taken = error instanceof ApiError && error.code === 'CONFLICT' && error.field === 'name';
            if (!taken || body.name !== newName || n === 30) throw error;
        }
    }
}
const triggersOf = (nodes: DrawnNode[]): string[] =>
    nodes.filter((node) => isTrigger(node.data.type)).map((node) => node.id);

/** What the service finds in the drawing, as it reads here: of the whole flow, and in the store for each node. */
function useValidation(flow: Flow | undefined): NodeProblem[] | undefined {
    const [body, setBody] = useState('');
    const settings = flow?.settings;
    useEffect(() => {
        let timer: number | undefined;
        // Made when the drawing has come to rest, and heard of without being drawn anew: while dragging either would
        // cost each frame.
        const plan = (): void => {
            window.clearTimeout(timer);
            timer = window.setTimeout(() => {
                const { name, nodes, edges } = useEditor.getState();
                setBody(
                    JSON.stringify({
                        name: name || '-',
                        ...flowOf({ nodes, edges }),
                        settings: settingsOf(settings, nodes),
                    }),
                );
            }, 400);
        };
        plan();
        const leave = useEditor.subscribe((now, then) => {
            if (now.nodes !== then.nodes || now.edges !== then.edges || now.name !== then.name) plan();
        });
        return () => {
            leave();
            window.clearTimeout(timer);
        };
    }, [settings]);
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
    const read = useReader();
    const found = check.data;
    const all = useMemo(
        () =>
            found && [
                ...found.errors.map((problem) => read(problem, true)),
                ...found.warnings.map((problem) => read(problem, false)),
            ],
        [found, read],
    );
    useEffect(() => {
        const problems: Record<string, NodeProblem[]> = {};
        for (const problem of all ?? [])
            if (problem.nodeId !== undefined) (problems[problem.nodeId] ??= []).push(problem);
        useEditor.setState({ problems });
    }, [all]);
    return all;
}

/** The one that is chosen; where it stands does not matter here, and changes with each frame of a drag. */
function useSelected(): DrawnNode | undefined {
    const last = useRef<DrawnNode | undefined>(undefined);
    return useEditor((s) => {
        const chosen = s.nodes.filter((node) => node.selected);
        const [one] = chosen.length === 1 ? chosen : [];
        const known = last.current;
        if (
            known?.id !== one?.id ||
            known?.data !== one?.data ||
            known?.type !== one?.type ||
            known?.parentId !== one?.parentId
        )
            last.current = one;
        return last.current;
    });
}

function Editor({ flow }: { flow: Flow | undefined }) {
    const { t } = useTranslation('editor');
    const navigate = useNavigate();
    const queries = useQueryClient();
    const name = useEditor((s) => s.name);
    const dirty = useEditor((s) => s.dirty);
    const canUndo = useEditor((s) => s.past.length > 0);
    const canRedo = useEditor((s) => s.future.length > 0);
    const selected = useSelected();
    const editor = useMay('editor');
    const operator = useMay('operator');
    const [executionId, setExecutionId] = useState<string | null>(null);
    /** What is asked before a run: of the flow, or of an execution that runs once more. */
    const [asking, setAsking] = useState<'run' | 'again' | null>(null);
    const [panel, setPanel] = useState<'versions' | 'problems' | null>(null);
    const [publishing, setPublishing] = useState(false);
    const comparing = useEditor((s) => s.compared !== null);
    const [lastInput, setLastInput] = useState<Json | undefined>(undefined);
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
            const body = {
                name: state.name,
                ...flowOf(state),
                settings: settingsOf(flow?.settings, state.nodes),
                metadata: metadataOf(flow?.metadata, pinsOf(state)),
            };
            return flow === undefined ? createNamed(body, t('newName')) : changeFlow(flow.id, body);
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
    const watch = (id: string): void => {
        useEditor.setState({ states: {} });
        setAsking(null);
        setExecutionId(id);
    };
    /** What runs again runs as it is drawn now: whoever mended the node that failed means that. */
    const saveChanges = async (): Promise<void> => {
        if (editor && useEditor.getState().dirty) await save.mutateAsync();
    };
    const start = useMutation({
        mutationFn: async ({ input, triggerNode, untilNode, usePins }: RunWish) => {
            const saved = dirty || flow === undefined ? await save.mutateAsync() : flow;
            const pins = pinsOf(useEditor.getState());
            const { executionId: id } = await runFlow(saved.id, {
                ...(input !== undefined && { input }),
                ...(triggerNode !== undefined && { triggerNode }),
                ...(untilNode !== undefined && { untilNode }),
                ...(usePins && Object.keys(pins).length > 0 && { pins }),
            });
            return { flowId: saved.id, executionId: id };
        },
        onSuccess: (begun, { input }) => {
            setLastInput(input);
            useEditor.setState({ begun });
        },
        onError: (error) => {
            sayError(error);
        },
    });
    const begun = useEditor((s) => s.begun);
    useEffect(() => {
        if (begun === null || begun.flowId !== flow?.id) return;
        useEditor.setState({ begun: null, states: {} });
        setAsking(null);
        setExecutionId(begun.executionId);
    }, [begun, flow?.id]);
    const again = useMutation({
        mutationFn: async ({ input }: RunWish) => {
            await saveChanges();
            return call<{ executionId: string }>(
                'POST',
                `/api/v1/scheduler/executions/${executionId ?? ''}/rerun`,
                input === undefined ? {} : { input },
            );
        },
        onSuccess: ({ executionId: id }) => {
            watch(id);
        },
        onError: (error) => {
            sayError(error);
        },
    });
    const latest = useQuery({
        queryKey: ['editor', 'latest', flow?.id],
        enabled: flow !== undefined && executionId === null,
        queryFn: async ({ signal }) =>
            (
                await call<Page<Execution>>(
                    'GET',
                    `/api/v1/scheduler/executions?flowId=${flow?.id ?? ''}&limit=1&page=1`,
                    undefined,
                    signal,
                )
            ).data[0] ?? null,
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
        mutationFn: async (verb: 'cancel' | 'retry') => {
            if (verb === 'retry') await saveChanges();
            return call<{ executionId?: string }>(
                'POST',
                `/api/v1/scheduler/executions/${executionId ?? ''}/${verb}`,
                verb === 'retry' ? { from: 'failed' } : {},
            );
        },
        onSuccess: (answer, verb) => {
            if (verb === 'retry' && answer.executionId !== undefined) watch(answer.executionId);
            else void run.refetch();
        },
        onError: (error) => {
            sayError(error);
        },
    });
    const { screenToFlowPosition } = useReactFlow();
    useEditorKeys({
        mayEdit: editor && !comparing,
        onSave: () => {
            if (editor && !save.isPending) save.mutate();
        },
        onRun: () => {
            if (operator) setAsking('run');
        },
        onNote: () => {
            const at = screenToFlowPosition({ x: window.innerWidth / 2, y: window.innerHeight / 3 });
            addNote(freeFrom(at, useEditor.getState().nodes));
        },
    });
    const drawn = useEditor((s) => s.nodes.length > 0);
    const problems = drawn ? check : undefined; // where nothing is drawn yet nothing is wrong yet
    const count = problems?.filter((problem) => problem.bad).length ?? 0;
    const found = problems?.length ?? 0;
    return (
        <div className={css.editor} data-editor data-look-only={!editor || undefined}>
            <header className={css.bar}>
                <div className={css.about}>
                    <div className={css.title}>
                        <Link to="/flows">{t('common:nav.flows')}</Link>
                        <h1 className="visually-hidden">{name}</h1>
                        <FlowName value={name} readOnly={!editor} />
                    </div>
                    {flow !== undefined && <Status status={flow.status} />}
                    {flow !== undefined && <PublishedBadge flow={flow} dirty={dirty} />}
                    <span role="status" className={`${css.fine ?? ''} muted`}>
                        {problems?.length === 0 ? t('valid') : ''}
                    </span>
                    {found > 0 && (
                        <Button
                            small
                            icon={TriangleAlert}
                            className={count > 0 ? css.bad : css.warn}
                            aria-expanded={panel === 'problems'}
                            onClick={() => {
                                selectNone();
                                setPanel(panel === 'problems' ? null : 'problems');
                            }}
                        >
                            {count > 0 ? t('problems', { count }) : t('warnings', { count: found })}
                        </Button>
                    )}
                    {!editor && (
                        <span className={css.lookOnly} title={t('lookOnlyHelp')}>
                            <Eye size={14} aria-hidden />
                            {t('lookOnly')}
                            <span className="visually-hidden">{t('lookOnlyHelp')}</span>
                        </span>
                    )}
                </div>
                <div className={css.acts}>
                    {editor && (
                        <>
                            <IconButton
                                icon={Undo2}
                                label={t('undo')}
                                keys="Ctrl Z"
                                disabled={!canUndo}
                                onClick={undo}
                            />
                            <IconButton
                                icon={Redo2}
                                label={t('redo')}
                                keys="Ctrl Shift Z"
                                disabled={!canRedo}
                                onClick={redo}
                            />
                            <IconButton icon={LayoutGrid} label={t('arrange')} keys="L" onClick={arrange} />
                        </>
                    )}
                    {flow !== undefined && (
                        <>
                            <IconButton
                                icon={Download}
                                label={t('export')}
                                onClick={() => {
                                    download(
                                        `${name}.json`,
                                        JSON.stringify(
                                            {
                                                ...exported(flow),
                                                name,
                                                ...flowOf(useEditor.getState()),
                                                settings: settingsOf(
                                                    flow.settings,
                                                    useEditor.getState().nodes,
                                                ),
                                            },
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
                                    setPanel(panel === 'versions' ? null : 'versions');
                                }}
                            />
                            {editor && (
                                <Button
                                    icon={Power}
                                    title={t(flow.status === 'active' ? 'deactivate' : 'activate')}
                                    busy={switchOn.isPending}
                                    onClick={() => {
                                        switchOn.mutate();
                                    }}
                                >
                                    <span className={css.word}>
                                        {t(flow.status === 'active' ? 'deactivate' : 'activate')}
                                    </span>
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
                    {editor && flow !== undefined && (
                        <Button
                            icon={Rocket}
                            busy={publishing && save.isPending}
                            onClick={() => {
                                if (dirty)
                                    save.mutate(undefined, {
                                        onSuccess: () => {
                                            setPublishing(true);
                                        },
                                    });
                                else setPublishing(true);
                            }}
                        >
                            {t('publish.publish')}
                        </Button>
                    )}
                    {operator && latest.data != null && executionId === null && (
                        <IconButton
                            icon={ListVideo}
                            label={t('showLast')}
                            onClick={() => {
                                watch(latest.data?.id ?? '');
                            }}
                        />
                    )}
                    {operator && (
                        <Button
                            variant="primary"
                            icon={Play}
                            busy={start.isPending}
                            onClick={() => {
                                setAsking('run');
                            }}
                        >
                            {t('run')}
                        </Button>
                    )}
                </div>
            </header>
            {editor && <Palette />}
            <Canvas />
            {selected !== undefined && (
                <aside className={css.side} aria-label={t('settings')} data-inspector>
                    {selected.type === 'note' ? (
                        <NoteInspector node={selected} />
                    ) : (
                        <Inspector
                            node={selected}
                            flowId={flow?.id}
                            execution={run.data}
                            onRunTo={
                                operator
                                    ? (untilNode) => {
                                          start.mutate({ input: lastInput, untilNode, usePins: true });
                                      }
                                    : undefined
                            }
                        />
                    )}
                </aside>
            )}
            {selected === undefined && panel === 'versions' && flow !== undefined && (
                <aside className={css.side} aria-label={t('versions')}>
                    <Versions
                        flow={flow}
                        onClose={() => {
                            useEditor.setState({ compared: null });
                            setPanel(null);
                        }}
                    />
                </aside>
            )}
            {selected === undefined && panel === 'problems' && problems !== undefined && (
                <aside className={css.side} aria-label={t('problemList')}>
                    <Problems
                        list={problems}
                        onClose={() => {
                            setPanel(null);
                        }}
                    />
                </aside>
            )}
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
                        {run.data !== undefined && operator && (
                            <Button
                                small
                                icon={RotateCcw}
                                onClick={() => {
                                    setAsking('again');
                                }}
                            >
                                {t('again.again')}
                            </Button>
                        )}
                        {run.data?.status === 'failed' && operator && (
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
                    {run.data?.errorMessage != null && <Failure error={run.data.errorMessage} />}
                    {run.data !== undefined && run.data.nodeExecutions.length > 0 && (
                        <Gantt nodes={run.data.nodeExecutions} onChoose={select} />
                    )}
                </section>
            )}
            {asking !== null && (
                <RunDialog
                    key={asking}
                    busy={start.isPending || again.isPending}
                    again={asking === 'again'}
                    given={asking === 'again' ? (run.data?.input as Json | undefined) : lastInput}
                    triggers={triggersOf(useEditor.getState().nodes)}
                    pinned={Object.keys(pinsOf(useEditor.getState())).length}
                    onClose={() => {
                        setAsking(null);
                    }}
                    onRun={(wish) => {
                        (asking === 'again' ? again : start).mutate(wish);
                    }}
                />
            )}
            {publishing && flow !== undefined && (
                <PublishDialog
                    flow={flow}
                    onClose={() => {
                        setPublishing(false);
                    }}
                />
            )}
        </div>
    );
}

/** As wide and as high as the name needs: a long one is read as a whole. */
function FlowName({ value, readOnly }: { value: string; readOnly: boolean }) {
    const { t } = useTranslation('editor');
    return (
        <span className={css.name} data-name={value}>
            <textarea
                aria-label={t('name')}
                title={value}
                rows={1}
                cols={1}
                value={value}
                maxLength={100}
                readOnly={readOnly}
                spellCheck={false}
                onChange={(event) => {
                    rename(event.target.value.replace(/\s*\n\s*/g, ' '));
                }}
                onKeyDown={(event) => {
                    if (event.key !== 'Enter') return;
                    event.preventDefault();
                    event.currentTarget.blur();
                }}
            />
        </span>
    );
}

/** What the service would say of it, each with the way to where it is. */
function Problems({ list, onClose }: { list: NodeProblem[]; onClose: () => void }) {
    const { t } = useTranslation('editor');
    return (
        <div className={css.panel}>
            <div className={css.bottomHead}>
                <h2>{t('problemList')}</h2>
                <span className={css.spacer} />
                <IconButton small icon={X} label={t('hide')} onClick={onClose} />
            </div>
            {list.length === 0 && <p className="muted">{t('valid')}</p>}
            {list.map((problem, index) => (
                <Notice key={index} tone={problem.bad ? 'bad' : 'warn'}>
                    <strong>
                        {t(`problemCodes.${problem.code}` as never, { defaultValue: problem.code })}
                    </strong>
                    <div lang={problem.lang}>{problem.text}</div>
                    {problem.nodeId !== undefined && (
                        <Button
                            small
                            onClick={() => {
                                select(problem.nodeId ?? '');
                            }}
                        >
                            {problem.nodeId}
                        </Button>
                    )}
                </Notice>
            ))}
        </div>
    );
}
