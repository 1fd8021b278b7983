import { create } from 'zustand';

export type Theme = 'system' | 'light' | 'dark';

const read = (): Theme => {
    const chosen = document.documentElement.dataset.theme;
    return chosen === 'light' || chosen === 'dark' ? chosen : 'system';
};
const store = create<{ theme: Theme }>(() => ({ theme: read() }));
export const useTheme = (): Theme => store((s) => s.theme);

export function chooseTheme(theme: Theme): void {
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
        if (theme === 'system') localStorage.removeItem('caudal.theme');
        else localStorage.setItem('caudal.theme', theme);
    } catch {
        // Then it holds for this visit.
    }
    store.setState({ theme });
}
