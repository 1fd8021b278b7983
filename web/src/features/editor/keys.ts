/* The editor's keys. */
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { isDialogOpen, isTyping, useKeyboardHelp } from '@/app/shortcuts';
import { isNote, type Drawing } from './model';
import {
    arrange,
    copy,
    duplicate,
    paste,
    redo,
    remove,
    selectAll,
    selectNone,
    undo,
    useEditor,
} from './store';

export interface EditorActs {
    onSave: () => void;
    onRun: () => void;
    onNote: () => void;
    mayEdit: boolean;
}

/** What the clipboard holds is ours only when it says so. */
const MARK = 'caudal/drawing';
const CLIPBOARD_BYTES = 8 << 20;
export function drawingIn(text: string): Drawing | null {
    if (text.length > CLIPBOARD_BYTES || !text.startsWith(`{"${MARK}":`)) return null;
    try {
        const { [MARK]: part } = JSON.parse(text) as { [MARK]?: Partial<Drawing> };
        if (!Array.isArray(part?.nodes) || !Array.isArray(part.edges)) return null;
        const nodes = part.nodes.filter(
            (node) =>
                typeof node.id === 'string' &&
                typeof node.data.type === 'string' &&
                typeof node.data.config === 'object' &&
                Number.isFinite(node.position.x) &&
                Number.isFinite(node.position.y),
        );
        const ids = new Set(nodes.map((node) => node.id));
        return { nodes, edges: part.edges.filter((edge) => ids.has(edge.source) && ids.has(edge.target)) };
    } catch {
        return null; // somebody else's text that begins like ours
    }
}

const isElsewhere = (event: Event): boolean =>
    isTyping(event.composedPath()[0] ?? null) || isTyping(event.target) || isDialogOpen();

function onEnter(): void {
    const chosen = useEditor.getState().nodes.filter((node) => node.selected);
    const [first] = chosen;
    if (chosen.length === 1 && first !== undefined && isNote(first))
        useEditor.setState({ writing: first.id });
    else document.querySelector<HTMLElement>('[data-inspector] input, [data-inspector] textarea')?.focus();
}

export function useEditorKeys(acts: EditorActs): void {
    const { t } = useTranslation('editor');
    const latest = useRef(acts);
    latest.current = acts;
    useKeyboardHelp(t('title'), [
        ['/', t('keys.add')],
        ['N', t('keys.note')],
        ['Enter', t('keys.open')],
        ['Ctrl S', t('keys.save')],
        ['Ctrl Enter', t('keys.run')],
        ['Ctrl Z', t('keys.undo')],
        ['Ctrl C, V, X', t('keys.copy')],
        ['Ctrl D', t('keys.duplicate')],
        ['Ctrl A', t('keys.all')],
        ['Ctrl click', t('keys.several')],
        ['Shift drag', t('keys.area')],
        ['Esc', t('keys.none')],
        ['Del', t('keys.delete')],
        ['← ↑ → ↓', t('keys.move')],
        ['L', t('keys.arrange')],
    ]);
    useEffect(() => {
        const workOf = (event: KeyboardEvent): (() => void) | null => {
            const control = event.ctrlKey || event.metaKey;
            const key = event.key.toLowerCase();
            const { mayEdit, onSave, onRun, onNote } = latest.current;
            if (isDialogOpen()) return null;
            if (control && key === 's') return onSave;
            if (control && key === 'enter') return onRun;
            if (isElsewhere(event) || event.altKey) return null;
            if (control) {
                if (key === 'a') return selectAll;
                if (!mayEdit) return null;
                if (key === 'z') return event.shiftKey ? redo : undo;
                if (key === 'y') return redo;
                if (key === 'd') return duplicate;
                return null;
            }
            if (key === 'escape') return selectNone;
            // Enter on a button presses it.
            if (
                key === 'enter' &&
                !(event.target instanceof Element && event.target.closest('button, a, summary'))
            )
                return onEnter;
            if (key === '/')
                return () => {
                    document.querySelector<HTMLInputElement>('[data-palette] input')?.focus();
                };
            if (!mayEdit) return null;
            if (key === 'delete' || key === 'backspace') return remove;
            if (key === 'n' && !event.shiftKey) return onNote;
            if (key === 'l' && !event.shiftKey) return arrange;
            return null;
        };
        const onKey = (event: KeyboardEvent): void => {
            const work = workOf(event);
            if (work === null) return;
            event.preventDefault();
            work();
        };
        // The browser's own events, so that it works across windows and asks for no permission.
        const onCopy = (event: ClipboardEvent): void => {
            if (isElsewhere(event) || window.getSelection()?.isCollapsed === false) return;
            const part = copy();
            if (part === null) return;
            event.clipboardData?.setData('text/plain', JSON.stringify({ [MARK]: part }));
            event.preventDefault();
            if (event.type === 'cut' && latest.current.mayEdit) remove();
        };
        const onPaste = (event: ClipboardEvent): void => {
            if (isElsewhere(event) || !latest.current.mayEdit) return;
            const text = event.clipboardData?.getData('text/plain') ?? '';
            const known = useEditor.getState().clipboard;
            // What was copied here last is what the clipboard holds, unless another window was quicker.
            const found = drawingIn(text);
            event.preventDefault();
            if (found !== null && text !== copiedText.last) {
                copiedText.last = text;
                paste(found);
            } else if (known !== null && (found !== null || text === '')) paste(known);
        };
        const copiedText = { last: '' };
        const onCopied = (event: ClipboardEvent): void => {
            onCopy(event);
            if (event.defaultPrevented) copiedText.last = event.clipboardData?.getData('text/plain') ?? '';
        };
        window.addEventListener('keydown', onKey);
        document.addEventListener('copy', onCopied);
        document.addEventListener('cut', onCopied);
        document.addEventListener('paste', onPaste);
        return () => {
            window.removeEventListener('keydown', onKey);
            document.removeEventListener('copy', onCopied);
            document.removeEventListener('cut', onCopied);
            document.removeEventListener('paste', onPaste);
        };
    }, []);
}
