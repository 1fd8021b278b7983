/* The drawing: nodes, containers, notes and the connections between them. */
import {
    Background,
    ConnectionLineType,
    Controls,
    MarkerType,
    MiniMap,
    ReactFlow,
    useNodesInitialized,
    useReactFlow,
    useStore,
    type Edge,
    type FinalConnectionState,
} from '@xyflow/react';
import { memo, useCallback, useEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { useMay } from '@/lib/auth/session';
import { sayError } from '@/ui/toast';
import { Aligner } from './aligner';
import { byId, crossing, placeOf, sizeOf } from './containers';
import { EachNode } from './each-node';
import css from './editor.module.css';
import { BrokenEdge, LoopEdge } from './flow-edge';
import { KnownContext, useAsked } from './known';
import { comparedDrawing, misfit, type Drawing, type DrawnNode } from './model';
import { NoteNode } from './note-node';
import { StepNode } from './step-node';
import {
    addNode,
    backOf,
    beginMove,
    changeEdges,
    changeNodes,
    connect,
    endMove,
    moveOver,
    useEditor,
} from './store';

const nodeTypes = { step: StepNode, each: EachNode, note: NoteNode };
const edgeTypes = { loop: LoopEdge, broken: BrokenEdge };
const marker = { type: MarkerType.ArrowClosed, width: 14, height: 14, color: 'var(--line-strong)' };
/** Above it only what is seen is in the document: drawing the rest costs more than making it when it comes. */
const MANY = 120;
const whole = { maxZoom: 1, padding: 0.12 };

/** Connections as they are shown: what they are follows from where they lead. */
function useShownEdges(edges: Edge[], all: DrawnNode[]): Edge[] {
    const { t } = useTranslation('editor');
    // Where nodes are does not matter for it, and changes with every move of the pointer.
    const bodies = all.map((node) => `${node.id}<${node.parentId ?? ''}`).join();
    const latest = useRef(all);
    latest.current = all;
    return useMemo(() => {
        const nodes = latest.current;
        const index = byId(nodes);
        const back = backOf({ nodes, edges });
        return edges.map((edge): Edge => {
            const why = crossing(edge, index);
            if (why !== null) return { ...edge, type: 'broken', data: { reason: t(`misfit.${why}`) } };
            return { ...edge, ...(back.has(edge.id) && { type: 'loop', zIndex: 1 }), markerEnd: marker };
        });
        // eslint-disable-next-line react-hooks/exhaustive-deps -- `bodies` stands for what is read of the nodes
    }, [edges, bodies, t]);
}

export const Canvas = memo(function Canvas() {
    const { t } = useTranslation('editor');
    const known = useAsked();
    const { catalog } = known;
    const drawing = useShownDrawing();
    const { nodes } = drawing;
    const edges = useShownEdges(drawing.edges, nodes);
    const comparing = useEditor((s) => s.compared !== null);
    const may = useMay('editor') && !comparing;
    const { screenToFlowPosition } = useReactFlow();
    useShownNode();
    useWholeAtFirst();
    useWholeWhenArranged();
    useAddedNode();
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
            sayError(t(`misfit.${why.reason}`, why as unknown as Record<string, string>), t('misfit.title'));
    };
    // Said to the style alone: React has nothing to do while the drawing is panned or zoomed. Not before it moves: where
    // nothing may be changed a click on a node begins as a pan does.
    const frame = useRef<HTMLDivElement>(null);
    const onMove = useCallback(() => frame.current?.toggleAttribute('data-moving', true), []);
    const onMoveEnd = useCallback(() => frame.current?.removeAttribute('data-moving'), []);
    const ids = (moving: DrawnNode[]): string[] => moving.map((node) => node.id);
    return (
        <div
            ref={frame}
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
            {nodes.length === 0 && (
                <p className={css.empty}>
                    <span className={css.wide}>{t('start')}</span>
                    <span className={css.narrow}>{t('startNarrow')}</span>
                </p>
            )}
            <KnownContext.Provider value={known}>
                <ReactFlow
                    nodes={nodes}
                    edges={edges}
                    nodeTypes={nodeTypes}
                    edgeTypes={edgeTypes}
                    onMove={onMove}
                    onMoveEnd={onMoveEnd}
                    onNodesChange={changeNodes}
                    onEdgesChange={changeEdges}
                    onNodeDragStart={beginMove}
                    onNodeDrag={(_event, _node, moving) => {
                        moveOver(ids(moving));
                    }}
                    onNodeDragStop={(_event, _node, moving) => {
                        endMove(ids(moving));
                    }}
                    onSelectionDragStart={beginMove}
                    onSelectionDrag={(_event, moving) => {
                        moveOver(ids(moving));
                    }}
                    onSelectionDragStop={(_event, moving) => {
                        endMove(ids(moving));
                    }}
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
                    connectionLineType={ConnectionLineType.Bezier}
                    nodesDraggable={may}
                    nodesConnectable={may}
                    deleteKeyCode={null}
                    selectionKeyCode="Shift"
                    multiSelectionKeyCode={['Control', 'Meta', 'Shift']}
                    onlyRenderVisibleElements={nodes.length > MANY}
                    fitViewOptions={whole}
                    minZoom={0.1}
                    proOptions={{ hideAttribution: true }}
                >
                    <Dots />
                    <Controls showInteractive={false} />
                    {nodes.length > 12 && (
                        <MiniMap
                            pannable
                            zoomable
                            ariaLabel={t('map')}
                            nodeClassName={(node) => `${css.mapNode ?? ''} ${node.type ?? ''}`}
                            style={{ width: 150, height: 96 }}
                        />
                    )}
                </ReactFlow>
            </KnownContext.Provider>
            <Aligner />
        </div>
    );
});

/** From afar they would be a grey haze of tens of thousands, drawn anew with each move. */
function Dots() {
    const near = useStore((s) => s.transform[2] > 0.35);
    return near ? <Background gap={22} size={1.4} color="var(--line)" /> : null;
}

/** The drawing, or the drawing held against another version. */
function useShownDrawing(): Drawing {
    const nodes = useEditor((s) => s.nodes);
    const edges = useEditor((s) => s.edges);
    const compared = useEditor((s) => s.compared);
    return useMemo(
        () =>
            compared === null
                ? { nodes, edges }
                : comparedDrawing({ nodes, edges }, compared.flow, {
                      added: css.diffAdded ?? '',
                      removed: css.diffRemoved ?? '',
                      changed: css.diffChanged ?? '',
                  }),
        [nodes, edges, compared],
    );
}

/** The whole drawing, once every node has its size; a new one stays as it is when its first node comes. */
function useWholeAtFirst(): void {
    const ready = useNodesInitialized();
    const done = useRef(useEditor.getState().nodes.length === 0);
    const { fitView } = useReactFlow();
    useEffect(() => {
        if (!ready || done.current) return;
        done.current = true;
        void fitView(whole);
    }, [ready, fitView]);
}

/** What the form of the chosen node covers, at the right. */
const BESIDE_FORM = { ...whole, padding: { x: '12%', y: '12%', right: '400px' } } as const;
const covered = (width: number): boolean =>
    width > 720 && useEditor.getState().nodes.some((node) => node.selected);

/** Arranged anew it is elsewhere: all of it is brought into view. */
function useWholeWhenArranged(): void {
    const arranged = useEditor((s) => s.arranged);
    const { fitView } = useReactFlow();
    const width = useStore((s) => s.width);
    const last = useRef(arranged);
    useEffect(() => {
        if (last.current === arranged) return;
        last.current = arranged;
        void fitView(covered(width) ? BESIDE_FORM : whole);
    }, [arranged, fitView, width]);
}

/** A node that was added is seen as a whole beside its form: the drawing moves no further than that needs. */
function useAddedNode(): void {
    const added = useEditor((s) => s.added);
    const width = useStore((s) => s.width);
    const height = useStore((s) => s.height);
    const { getViewport, setViewport } = useReactFlow();
    useEffect(() => {
        const { nodes } = useEditor.getState();
        const node = nodes.find((one) => one.id === added);
        if (node === undefined || width === 0) return;
        useEditor.setState({ added: null });
        const { x, y, zoom } = getViewport();
        const place = placeOf(node, byId(nodes));
        const size = sizeOf(node);
        const shift = (from: number, length: number, room: number): number => {
            const beyond = Math.min(0, room - 24 - from - length);
            return from + beyond < 24 ? 24 - from : beyond;
        };
        const dx = shift(x + place.x * zoom, size.width * zoom, width - (covered(width) ? 368 : 0));
        const dy = shift(y + place.y * zoom, size.height * zoom, height);
        if (dx !== 0 || dy !== 0) void setViewport({ x: x + dx, y: y + dy, zoom });
    }, [added, width, height, getViewport, setViewport]);
}

/** Somebody asked for a node by name: it is brought into view. */
function useShownNode(): void {
    const shown = useEditor((s) => s.shown);
    const { fitView, getZoom } = useReactFlow();
    const width = useStore((s) => s.width);
    useEffect(() => {
        if (shown === null) return;
        useEditor.setState({ shown: null });
        void fitView({
            nodes: [{ id: shown }],
            padding: covered(width) ? BESIDE_FORM.padding : whole.padding,
            maxZoom: Math.max(getZoom(), 0.8),
            minZoom: 0.4,
            duration: 0,
        });
    }, [shown, fitView, getZoom, width]);
}
