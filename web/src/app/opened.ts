/* What is open above the page. What shows it is loaded when it is opened for the first time. */
import { create } from 'zustand';

export interface Help {
    title: string;
    keys: [string, string][];
}
interface Opened {
    palette: boolean;
    help: boolean;
    /** The keys of the page that is open. */
    extra: Help | null;
}
export const useOpened = create<Opened>(() => ({ palette: false, help: false, extra: null }));
export const openPalette = (): void => {
    useOpened.setState({ palette: true });
};
export const openKeyboardHelp = (): void => {
    useOpened.setState({ help: true });
};
