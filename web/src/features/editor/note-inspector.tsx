/* A note's colour and text. */
import { Trash2 } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { IconButton } from '@/ui/button';
import { TextAreaField } from '@/ui/field';
import css from './editor.module.css';
import { noteColors, type DrawnNode } from './model';
import { NOTE_CHARS } from './note-node';
import { changeNote, remove } from './store';

export function NoteInspector({ node }: { node: DrawnNode }) {
    const { t } = useTranslation('editor');
    return (
        <div className={css.panel}>
            <div className={css.bottomHead}>
                <h2>{t('note.note')}</h2>
                <span className={css.spacer} />
                <IconButton icon={Trash2} label={t('delete')} keys="Del" onClick={remove} />
            </div>
            <fieldset className={css.swatches}>
                <legend>{t('note.color')}</legend>
                {noteColors.map((color) => (
                    <label
                        key={color}
                        className={css.swatch}
                        data-color={color}
                        title={t(`note.colors.${color}`)}
                    >
                        <input
                            type="radio"
                            name={`color of ${node.id}`}
                            checked={(node.data.color ?? 'yellow') === color}
                            onChange={() => {
                                changeNote(node.id, { color });
                            }}
                        />
                        <span className="visually-hidden">{t(`note.colors.${color}`)}</span>
                    </label>
                ))}
            </fieldset>
            <TextAreaField
                label={t('note.text')}
                help={t('note.marks')}
                rows={12}
                maxLength={NOTE_CHARS}
                value={node.data.text ?? ''}
                onChange={(text) => {
                    changeNote(node.id, { text });
                }}
            />
        </div>
    );
}
