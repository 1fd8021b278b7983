/* What is said in passing. */
import i18next from 'i18next';
import { lazy, Suspense, useState } from 'react';
import { create } from 'zustand';
import { ApiError } from '@/lib/api/client';

interface Message {
    title: string;
    /** In the service's words, or the page's. */
    description?: string;
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
/** What kind of refusal it is, by its code, which stays as it is whatever the sentence says. */
export const titleOf = (error: unknown): string =>
    i18next.t([
        `codes.${error instanceof ApiError ? (error.unreachable ? 'UNREACHABLE' : error.code) : ''}`,
        'errors.title',
    ]);
const told = new WeakSet<Error>();
/** What went wrong, as the service says it, which tells what would be right; the same refusal once (of a save that a run
    needed, say). */
export const sayError = (error: unknown, title?: string): void => {
    if (error instanceof Error) {
        if (told.has(error)) return;
        told.add(error);
    }
    const unreachable = error instanceof ApiError && error.unreachable;
    add({
        title: title ?? titleOf(error),
        description: unreachable
            ? i18next.t('errors.unreachable')
            : error instanceof Error
              ? error.message
              : String(error),
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
