/* Who uses the page. The access token lives in memory, the refresh token in the browser's storage: it is used once,
   so tabs take turns. */
import { create } from 'zustand';
import type { Role } from '@/lib/api/models';

const KEY = 'caudal.refresh';

export interface Me {
    username: string;
    role: Role;
    loginRequired: boolean;
}
interface SessionState {
    /** unknown: not asked yet · open: nobody logs in here · out: a login is needed · in */
    state: 'unknown' | 'open' | 'out' | 'in';
    me: Me | null;
}
export const useSession = create<SessionState>(() => ({ state: 'unknown', me: null }));

let token: string | null = null;
let renewal: Promise<string | null> | null = null;

export const accessToken = (): string | null => token;

const stored = (): string | null => {
    try {
        return localStorage.getItem(KEY);
    } catch {
        return null;
    }
};
function store(value: string | null): void {
    try {
        if (value === null) localStorage.removeItem(KEY);
        else localStorage.setItem(KEY, value);
    } catch {
        // Without storage the session ends with the tab.
    }
}

interface Tokens {
    accessToken: string;
    refreshToken: string;
    user: { username: string; role: Role };
}
function begin(tokens: Tokens): void {
    token = tokens.accessToken;
    store(tokens.refreshToken);
    useSession.setState({
        state: 'in',
        me: { username: tokens.user.username, role: tokens.user.role, loginRequired: true },
    });
}
function end(): void {
    token = null;
    store(null);
    useSession.setState({ state: 'out', me: null });
}

async function post(path: string, body: unknown): Promise<Response> {
    const headers: Record<string, string> = { 'Content-Type': 'application/json' };
    if (token !== null) headers.Authorization = `Bearer ${token}`;
    return fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function renew(): Promise<string | null> {
    const refreshToken = stored();
    if (refreshToken === null) {
        end();
        return null;
    }
    const response = await post('/api/v1/auth/refresh', { refreshToken });
    if (response.ok) {
        begin(((await response.json()) as { data: Tokens }).data);
        return token;
    }
    // 401: the session ended. Anything else may pass: the token is kept.
    if (response.status === 401 || response.status === 400) end();
    return null;
}

async function inTurn(): Promise<string | null> {
    if (!('locks' in navigator)) return renew();
    return navigator.locks.request('caudal.refresh', () => renew());
}

/** A new access token, or null when there must be a login. Asked for many times at once it is fetched once. */
export function renewSession(): Promise<string | null> {
    if (useSession.getState().state === 'open') return Promise.resolve(null);
    renewal ??= inTurn().finally(() => {
        renewal = null;
    });
    return renewal;
}

let beginning: Promise<void> | null = null;
/** Asked for many times at once it is asked once. */
export function startSession(): Promise<void> {
    beginning ??= ask().finally(() => {
        beginning = null;
    });
    return beginning;
}

async function ask(): Promise<void> {
    const response = await fetch('/api/v1/auth/status');
    if (!response.ok) throw new Error(`HTTP ${String(response.status)}`);
    const { loginRequired } = ((await response.json()) as { data: { loginRequired: boolean } }).data;
    if (!loginRequired)
        useSession.setState({
            state: 'open',
            me: { username: 'local', role: 'admin', loginRequired: false },
        });
    else await renewSession();
}

/** Throws {status, message} of a refused login. */
export async function logIn(username: string, password: string): Promise<void> {
    const response = await post('/api/v1/auth/login', { username, password });
    const body = (await response.json()) as { data: Tokens; message?: string };
    if (!response.ok) throw Object.assign(new Error(body.message ?? ''), { status: response.status });
    begin(body.data);
}

export async function logOut(): Promise<void> {
    try {
        await post('/api/v1/auth/logout', {});
    } finally {
        end();
    }
}

const ranks: Record<Role, number> = { viewer: 1, operator: 2, editor: 3, admin: 4 };
/** Whether the person may do what needs that role; the service checks again. */
export const useMay = (role: Role): boolean =>
    useSession((s) => s.me !== null && ranks[s.me.role] >= ranks[role]);
