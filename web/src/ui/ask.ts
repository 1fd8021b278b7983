import type { ReactNode } from 'react';
import { create } from 'zustand';

interface Question {
    title: string;
    text: ReactNode;
    confirm: string;
    danger?: boolean;
    onConfirm: () => unknown;
}
export const useQuestion = create<{ question: Question | null }>(() => ({ question: null }));
/** Asks before what cannot be undone. A promise from onConfirm is waited for. */
export const ask = (question: Question): void => {
    useQuestion.setState({ question });
};
