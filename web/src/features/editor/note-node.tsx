/* A note on the canvas: a double click or Enter writes, Escape or a click elsewhere ends that. */
import { NodeResizer, type NodeProps } from '@xyflow/react';
import { memo, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useMay } from '@/lib/auth/session';
import css from './editor.module.css';
import type { DrawnNode } from './model';
import { RichText } from './rich-text';
import { beginResize, changeNote, useEditor } from './store';

/** The service's bound (LIMIT_NOTE_CHARS). */
export const NOTE_CHARS = 5000;

export const NoteNode = memo(function NoteNode({ id, data, selected }: NodeProps<DrawnNode>) {
    const { t } = useTranslation('editor');
    const may = useMay('editor');
    const text = data.text ?? '';
    const [writing, setWriting] = useState(text === '' && selected);
    const area = useRef<HTMLTextAreaElement>(null);
    useEffect(() => {
        if (writing) area.current?.focus();
    }, [writing]);
    // Enter on a chosen note; the canvas has the key, since a note takes no focus of its own.
    const asked = useEditor((s) => s.writing === id);
    useEffect(() => {
        if (!asked) return;
        useEditor.setState({ writing: null });
        if (may) setWriting(true);
    }, [asked, may]);
    return (
        <div
            className={css.note}
            data-color={data.color ?? 'yellow'}
            data-selected={selected || undefined}
            onDoubleClick={() => {
                if (may) setWriting(true);
            }}
        >
            <NodeResizer
                isVisible={selected && may}
                minWidth={120}
                minHeight={60}
                lineClassName={css.resizeLine ?? ''}
                handleClassName={css.resizeHandle ?? ''}
                onResizeStart={beginResize}
            />
            {writing ? (
                <textarea
                    ref={area}
                    className="nodrag nopan nowheel"
                    aria-label={t('note.text')}
                    maxLength={NOTE_CHARS}
                    placeholder={t('note.placeholder')}
                    value={text}
                    onChange={(event) => {
                        changeNote(id, { text: event.target.value });
                    }}
                    onBlur={() => {
                        setWriting(false);
                    }}
                    onKeyDown={(event) => {
                        event.stopPropagation();
                        if (event.key === 'Escape') setWriting(false);
                    }}
                />
            ) : text.trim() === '' ? (
                <p className={css.noteEmpty}>{t('note.empty')}</p>
            ) : (
                <RichText text={text} />
            )}
        </div>
    );
});
