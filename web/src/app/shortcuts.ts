import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';
import { destinations } from './navigation';
import { openKeyboardHelp, openPalette, useOpened } from './opened';

/** The keys of the page that is open, shown with the others. */
export function useKeyboardHelp(title: string, keys: [string, string][]): void {
    const text = JSON.stringify(keys);
    useEffect(() => {
        useOpened.setState({ extra: { title, keys: JSON.parse(text) as [string, string][] } });
        return () => {
            useOpened.setState({ extra: null });
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
