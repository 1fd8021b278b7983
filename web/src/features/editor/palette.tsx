/* The node types, to click, drag or choose by keyboard. */
import { useReactFlow } from '@xyflow/react';
import { StickyNote } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { matches } from '@/lib/format/matches';
import { SearchField } from '@/ui/field';
import { useCatalog } from './catalog';
import { useNodeTexts } from './catalog-texts';
import { byId, freeFrom, isContainer, placeOf, sizeOf } from './containers';
import css from './editor.module.css';
import { misfit, outputsOf, type Catalog, type DrawnNode, type NodeType, type Pin } from './model';
import { categoryOf } from './step-node';
import { addNode, addNote, connect, useEditor } from './store';

/** What follows the chosen node is connected to it where the pins leave no doubt. */
function connectAfter(chosen: DrawnNode, id: string, type: NodeType, catalog: Catalog): void {
    const before = catalog.get(chosen.data.type);
    if (before === undefined) return;
    const state = useEditor.getState();
    // Data goes where data is taken; what is only a setting (an address, say) is for the form, unless nothing else fits.
    const rank = ({ type: kind }: Pin): number =>
        ['any', 'array'].includes(kind) ? 0 : kind === 'object' ? 1 : 2;
    const inputs = [...type.inputs].sort((a, b) => rank(a) - rank(b));
    for (const output of outputsOf(before).filter((pin) => pin.name !== 'error'))
        for (const input of inputs) {
            const ends = {
                source: chosen.id,
                sourceHandle: output.name,
                target: id,
                targetHandle: input.name,
            };
            if (misfit(ends, state, catalog) !== null) continue;
            connect({
                fromNodeId: chosen.id,
                fromOutput: output.name,
                toNodeId: id,
                toInput: input.name,
            });
            return;
        }
}

export function Palette() {
    const { t } = useTranslation('editor');
    const catalog = useCatalog();
    const texts = useNodeTexts();
    const [query, setQuery] = useState('');
    const { screenToFlowPosition } = useReactFlow();
    const groups = useMemo(() => {
        const found = new Map<string, NodeType[]>();
        for (const type of catalog.values())
            if (matches(texts.searched(type), query.trim())) {
                const category = categoryOf(type.type, type);
                found.set(category, [...(found.get(category) ?? []), type]);
            }
        return [...found].sort(([a], [b]) =>
            a === 'trigger' ? -1 : b === 'trigger' ? 1 : texts.category(a).localeCompare(texts.category(b)),
        );
    }, [catalog, query, texts]);
    const middle = (): { x: number; y: number } => {
        const canvas = document.querySelector(`.${css.canvas ?? ''}`)?.getBoundingClientRect();
        return screenToFlowPosition({
            // Beside the form that opens with it.
            x: (canvas?.left ?? 0) + Math.max(24, ((canvas?.width ?? 400) - 368) / 2 - 110),
            y: (canvas?.top ?? 0) + (canvas?.height ?? 400) / 2 - 60,
        });
    };
    const add = (type: NodeType): void => {
        const { nodes } = useEditor.getState();
        const chosen = nodes.find((node) => node.selected && node.type !== 'note');
        if (chosen === undefined) {
            addNode(type, freeFrom(middle(), nodes));
            return;
        }
        const at = placeOf(chosen, byId(nodes));
        const id =
            isContainer(chosen.data.type) && !isContainer(type.type)
                ? addNode(type, at, chosen.id)
                : addNode(
                      type,
                      freeFrom({ x: at.x + sizeOf(chosen).width + 110, y: at.y }, nodes),
                      chosen.parentId,
                  );
        connectAfter(chosen, id, type, catalog);
    };
    return (
        <aside className={css.palette} aria-label={t('nodes')} data-palette>
            <SearchField label={t('search')} value={query} onChange={setQuery} />
            <div className={css.types}>
                {groups.map(([category, types]) => (
                    <div key={category}>
                        <h2 className={css.category}>{texts.category(category)}</h2>
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
                                {texts.name(type.type, type.name)}
                                <small>{texts.description(type.type, type.description)}</small>
                            </button>
                        ))}
                    </div>
                ))}
                {groups.length === 0 && catalog.size > 0 && <p className="muted">{t('noNode')}</p>}
                {query.trim() === '' && (
                    <div>
                        <h2 className={css.category}>{t('note.category')}</h2>
                        <button
                            type="button"
                            className={css.kind}
                            style={{ '--tone': 'var(--line-strong)' } as React.CSSProperties}
                            onClick={() => {
                                addNote(freeFrom(middle(), useEditor.getState().nodes));
                            }}
                        >
                            <span>
                                <StickyNote size={13} aria-hidden /> {t('note.add')}
                            </span>
                            <small>{t('note.help')}</small>
                        </button>
                    </div>
                )}
            </div>
        </aside>
    );
}
