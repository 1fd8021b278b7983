/* What is said in passing. */
import { lazy, Suspense, useState } from 'react';
import { create } from 'zustand';
import { titleOf } from '@/lib/said/said';

interface Message {
    title: string;
    /** Text in the page's own words. */
    error?: unknown;
    type: 'success' | 'error';
    timeout: number;
    actionProps?: { children: string; onClick: () => void };
}
/** Said, and not shown yet. */
export const useMessages = create<{ waiting: Message[] }>(() => ({ waiting: [] }));
const add = (message: Message): void => {
    useMessages.setState((s) => ({ waiting: [...s.waiting, message] }));
};

export const say = (text: string, action?: { label: string; onSelect: () => void }): void => {
    add({
        title: text,
        type: 'success',
        timeout: action === undefined ? 4000 : 8000,
        ...(action !== undefined && { actionProps: { children: action.label, onClick: action.onSelect } }),
    });
};
const told = new WeakSet<Error>();
/** What went wrong, or says so in the page's own words; the same refusal once (of a save that a run needed, say). */
export const sayError = (error: unknown, title?: string): void => {
    if (error instanceof Error) {
        if (told.has(error)) return;
        told.add(error);
    }
    add({
        title: title ?? titleOf(error),
        error,
        type: 'error',
        timeout: 9000, // of high priority it would be hidden, with its buttons, from those it is read out to
    });
};

const List = lazy(async () => ({ default: (await import('./toasts')).Toasts }));
export function Toasts() {
    const some = useMessages((s) => s.waiting.length > 0);
    const [shown, setShown] = useState(false);
    if (some && !shown) setShown(true);
    return shown ? (
        <Suspense fallback={null}>
            <List />
        </Suspense>
    ) : null;
}
