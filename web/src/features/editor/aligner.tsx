/* Lines up what is chosen: there when two or more are. */
import {
    AlignCenterHorizontal,
    AlignCenterVertical,
    AlignEndHorizontal,
    AlignEndVertical,
    AlignHorizontalSpaceAround,
    AlignStartHorizontal,
    AlignStartVertical,
    AlignVerticalSpaceAround,
    Copy,
    Trash2,
    type LucideIcon,
} from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useMay } from '@/lib/auth/session';
import { IconButton } from '@/ui/button';
import css from './editor.module.css';
import { align, duplicate, remove, useEditor, type Alignment } from './store';

const ways: [Alignment, LucideIcon, number][] = [
    ['left', AlignStartVertical, 2],
    ['center', AlignCenterVertical, 2],
    ['right', AlignEndVertical, 2],
    ['top', AlignStartHorizontal, 2],
    ['middle', AlignCenterHorizontal, 2],
    ['bottom', AlignEndHorizontal, 2],
    ['across', AlignHorizontalSpaceAround, 3],
    ['down', AlignVerticalSpaceAround, 3],
];

export function Aligner() {
    const { t } = useTranslation('editor');
    const count = useEditor((s) => s.nodes.filter((node) => node.selected).length);
    const may = useMay('editor');
    if (count < 2 || !may) return null;
    return (
        <div className={css.aligner} role="toolbar" aria-label={t('align.title')}>
            <span className="num">{t('align.chosen', { count })}</span>
            {ways.map(([way, icon, least]) => (
                <IconButton
                    key={way}
                    small
                    icon={icon}
                    label={t(`align.${way}`)}
                    disabled={count < least}
                    onClick={() => {
                        align(way);
                    }}
                />
            ))}
            <IconButton small icon={Copy} label={t('align.duplicate')} keys="Ctrl D" onClick={duplicate} />
            <IconButton small icon={Trash2} label={t('delete')} keys="Del" onClick={remove} />
        </div>
    );
}
