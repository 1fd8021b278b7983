import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { create } from 'zustand';
import { Dialog } from '@/ui/dialog';
import { destinations } from './navigation';
import { openPalette } from './palette';
import css from './palette.module.css';

interface Help {
    title: string;
    keys: [string, string][];
}
const useHelp = create<{ open: boolean; extra: Help | null }>(() => ({ open: false, extra: null }));
export const openKeyboardHelp = (): void => {
    useHelp.setState({ open: true });
};
/** The keys of the page that is open, shown with the others. */
export function useKeyboardHelp(title: string, keys: [string, string][]): void {
    const text = JSON.stringify(keys);
    useEffect(() => {
        useHelp.setState({ extra: { title, keys: JSON.parse(text) as [string, string][] } });
        return () => {
            useHelp.setState({ extra: null });
        };
    }, [title, text]);
}

/** Keys belong to who types. */
export const isTyping = (target: EventTarget | null): boolean =>
    target instanceof HTMLElement &&
    (target.isContentEditable ||
        target.closest('input, textarea, select, [role="textbox"], [data-keys]') !== null);

/** Something that has the keys for itself; a toast says something and takes none. */
export const isDialogOpen = (): boolean =>
    document.querySelector('[role="dialog"]:not([data-toast]), [role="alertdialog"]:not([data-toast])') !==
    null;

export function useShortcuts(): void {
    const navigate = useNavigate();
    useEffect(() => {
        let gone = 0; // when g was pressed
        const onKey = (event: KeyboardEvent): void => {
            if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
                event.preventDefault();
                openPalette();
                return;
            }
            if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.composedPath()[0] ?? null))
                return;
            if (isDialogOpen() || document.querySelector('[role="menu"]') !== null) return;
            if (event.key === '?') openKeyboardHelp();
            else if (event.key === 'g') gone = event.timeStamp;
            else if (gone !== 0 && event.timeStamp - gone < 1500) {
                const found = destinations.find((d) => d.letter === event.key);
                gone = 0;
                if (found !== undefined) {
                    event.preventDefault();
                    event.stopImmediatePropagation();
                    void navigate({ to: found.to });
                }
            }
        };
        window.addEventListener('keydown', onKey);
        return () => {
            window.removeEventListener('keydown', onKey);
        };
    }, [navigate]);
}

export function KeyboardHelp() {
    const { t } = useTranslation();
    const { open, extra } = useHelp();
    const everywhere: [string, string][] = [
        ['Ctrl K', t('keys.palette')],
        ['?', t('keys.help')],
        ['g', t('keys.go')],
        ['Esc', t('keys.escape')],
    ];
    return (
        <Dialog
            open={open}
            title={t('keys.title')}
            onClose={() => {
                useHelp.setState({ open: false });
            }}
        >
            {extra !== null && <Keys title={extra.title} keys={extra.keys} />}
            <Keys title={t('keys.everywhere')} keys={everywhere} />
        </Dialog>
    );
}

function Keys({ title, keys }: { title: string; keys: [string, string][] }) {
    return (
        <section>
            <h3>{title}</h3>
            <dl className={css.keys}>
                {keys.map(([key, text]) => (
                    <div key={key} style={{ display: 'contents' }}>
                        <dt>
                            <kbd>{key}</kbd>
                        </dt>
                        <dd>{text}</dd>
                    </div>
                ))}
            </dl>
        </section>
    );
}
