/* CodeMirror, in a shadow root: there it styles itself without a <style> element, which the policy would refuse. */
import {
    autocompletion,
    closeBrackets,
    type CompletionContext,
    type CompletionResult,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { javascript } from '@codemirror/lang-javascript';
import { json } from '@codemirror/lang-json';
import { sql } from '@codemirror/lang-sql';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useRef } from 'react';
import { inExpression, optionsAt, pathBefore, type Known } from './completion';

export type CodeLanguage = 'json' | 'javascript' | 'sql' | 'text';
const languages = { json, javascript, sql, text: () => [] };

/** The page's own colours, which follow its theme into the shadow root. */
const colors = HighlightStyle.define([
    { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: 'var(--waiting)', fontWeight: '600' },
    { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--success)' },
    { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'var(--warning)' },
    { tag: [tags.propertyName, tags.attributeName], color: 'var(--accent)' },
    { tag: [tags.function(tags.variableName), tags.typeName, tags.className], color: 'var(--running)' },
    { tag: [tags.comment, tags.meta], color: 'var(--text-3)', fontStyle: 'italic' },
    { tag: tags.invalid, color: 'var(--danger)' },
]);

export default function CodeEditor({
    label,
    language,
    value,
    onChange,
    known,
    readOnly,
}: {
    label: string;
    language: CodeLanguage;
    value: string;
    onChange: (text: string) => void;
    /** What can be named in expressions. */
    known: Known;
    readOnly: boolean;
}) {
    const host = useRef<HTMLDivElement>(null);
    const view = useRef<EditorView | null>(null);
    const latest = useRef({ onChange, known });
    latest.current = { onChange, known };
    useEffect(() => {
        const parent = host.current;
        if (parent === null) return undefined;
        const root = parent.shadowRoot ?? parent.attachShadow({ mode: 'open' });
        const complete = (context: CompletionContext): CompletionResult | null => {
            const { state, pos } = context;
            // JavaScript is an expression everywhere; other texts between {{ and }}.
            if (language !== 'javascript' && !inExpression(state.doc.toString(), pos)) return null;
            const line = state.doc.lineAt(pos);
            const before = state.sliceDoc(line.from, pos);
            const path = pathBefore(before) ?? { root: '', steps: [], typed: '', from: before.length };
            if (path.root === '' && path.typed === '' && !context.explicit && !/\{\{\s*$/.test(before))
                return null;
            const options = optionsAt(path, latest.current.known);
            if (options.length === 0) return null;
            return {
                from: line.from + path.from,
                options: options.map(({ label, kind, detail, info, apply }) => ({
                    label,
                    type: kind,
                    ...(detail !== undefined && { detail }),
                    ...(info !== undefined && { info }),
                    ...(apply !== undefined && {
                        // In brackets, which stand in place of the dot before it.
                        apply: (view: EditorView, _option: unknown, from: number, to: number) => {
                            const dot = view.state.sliceDoc(from - 1, from) === '.' ? 1 : 0;
                            view.dispatch({ changes: { from: from - dot, to, insert: apply } });
                        },
                    }),
                })),
                validFor: /^[\w$-]*$/,
            };
        };
        const editor = new EditorView({
            parent: root,
            root,
            state: EditorState.create({
                doc: value,
                extensions: [
                    history(),
                    closeBrackets(),
                    keymap.of([...defaultKeymap, ...historyKeymap]),
                    languages[language](),
                    autocompletion({ override: [complete] }),
                    syntaxHighlighting(colors),
                    EditorView.lineWrapping,
                    EditorState.readOnly.of(readOnly),
                    EditorView.editable.of(!readOnly),
                    placeholder(language === 'json' ? '{ }' : ''),
                    EditorView.contentAttributes.of({ 'aria-label': label }),
                    EditorView.theme({
                        '&': {
                            fontSize: '12.5px',
                            border: '1px solid var(--line-strong)',
                            borderRadius: '6px',
                            background: 'var(--surface)',
                            color: 'var(--text)',
                        },
                        '&.cm-focused': { outline: '2px solid var(--focus)' },
                        '.cm-content': {
                            fontFamily: 'var(--mono)',
                            minHeight: '4.5rem',
                            caretColor: 'var(--text)',
                        },
                        '.cm-placeholder': { color: 'var(--text-3)' },
                        '.cm-cursor': { borderLeftColor: 'var(--text)' },
                        '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground, ::selection':
                            { background: 'var(--accent-soft)' },
                        '.cm-tooltip': {
                            border: '1px solid var(--line)',
                            borderRadius: '6px',
                            background: 'var(--raised)',
                            color: 'var(--text)',
                            boxShadow: 'var(--shadow-2)',
                        },
                        '.cm-tooltip-autocomplete ul li[aria-selected]': {
                            background: 'var(--accent-soft)',
                            color: 'var(--text)',
                        },
                        '.cm-completionDetail': { color: 'var(--text-3)', fontStyle: 'normal' },
                        '.cm-scroller': { maxHeight: '18rem', overflow: 'auto' },
                    }),
                    EditorView.updateListener.of((update) => {
                        if (update.docChanged) latest.current.onChange(update.state.doc.toString());
                    }),
                ],
            }),
        });
        view.current = editor;
        return () => {
            editor.destroy();
        };
        // eslint-disable-next-line react-hooks/exhaustive-deps -- the text is the editor's own from here on
    }, [label, language, readOnly]);
    useEffect(() => {
        const editor = view.current;
        if (editor !== null && !editor.hasFocus && editor.state.doc.toString() !== value)
            editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
    }, [value]);
    return <div ref={host} data-keys />;
}
