/* The WebSocket: it comes back by itself, subscribes anew and tells everybody to catch up over HTTP, since what was
   said meanwhile is lost. */
import { create } from 'zustand';
import { accessToken, renewSession, useSession } from '@/lib/auth/session';

export interface ExecutionUpdate {
    type: 'execution_update';
    executionId: string;
    flowId?: string;
    status: string;
    progress?: number;
    currentNode?: string;
    nodeStatus?: string;
    /** The nodes whose state has changed, with their states; of an execution that is followed by its id. */
    nodes?: Record<string, string>;
    recordsProcessed?: number;
    message?: string;
    timestamp?: string;
}
export interface SystemUpdate {
    type: 'job_stats' | 'system_update';
    [key: string]: unknown;
}
export type Connection = 'connecting' | 'open' | 'lost';
export const useConnection = create<{ connection: Connection; losses: number }>(() => ({
    connection: 'connecting',
    losses: 0,
}));

type Listener<T> = (update: T) => void;
const byExecution = new Map<string, Set<Listener<ExecutionUpdate>>>();
const all = new Set<Listener<ExecutionUpdate>>();
const system = new Set<Listener<SystemUpdate>>();
const catchUps = new Set<() => void>();

let socket: WebSocket | null = null;
let attempts = 0;
let timer: number | undefined;
let pinger: number | undefined;
let heard = 0;
let started = false;

const PING_MS = 25_000;
export const reconnectDelay = (attempt: number, random: number): number =>
    Math.min(500 * 2 ** Math.min(attempt, 5), 10_000) * (0.75 + random / 2);

function say(message: object): void {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function onMessage(text: string): void {
    heard = Date.now();
    let message: { type?: string };
    try {
        message = JSON.parse(text) as { type?: string };
    } catch {
        return; // not ours
    }
    if (message.type === 'execution_update') {
        const update = message as ExecutionUpdate;
        byExecution.get(update.executionId)?.forEach((fn) => {
            fn(update);
        });
        all.forEach((fn) => {
            fn(update);
        });
    } else if (message.type === 'job_stats' || message.type === 'system_update') {
        system.forEach((fn) => {
            fn(message as SystemUpdate);
        });
    }
}

function onOpen(): void {
    const returned = useConnection.getState().connection === 'lost';
    attempts = 0;
    heard = Date.now();
    useConnection.setState({ connection: 'open' });
    for (const executionId of byExecution.keys())
        say({ type: 'subscribe', channel: 'execution', executionId });
    if (all.size > 0) say({ type: 'subscribe', channel: 'executions' });
    if (system.size > 0) say({ type: 'subscribe', channel: 'system' });
    pinger = window.setInterval(() => {
        // A connection that died without a word is dropped, not waited for.
        if (Date.now() - heard > 2.5 * PING_MS) socket?.close();
        else say({ type: 'ping' });
    }, PING_MS);
    if (returned)
        catchUps.forEach((fn) => {
            fn();
        });
}

function onClose(): void {
    window.clearInterval(pinger);
    socket = null;
    if (!started) return;
    useConnection.setState((s) => ({ connection: 'lost', losses: s.losses + 1 }));
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void reopen(), reconnectDelay(attempts++, Math.random()));
}

async function reopen(): Promise<void> {
    // The token that opened the former connection may be what ended it.
    if (useSession.getState().state === 'in' && attempts > 0) await renewSession().catch(() => null);
    open();
}

function open(): void {
    if (!started || socket !== null) return;
    const url = new URL('/ws', window.location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const token = accessToken();
    if (token !== null) url.searchParams.set('access_token', token);
    socket = new WebSocket(url);
    socket.onopen = onOpen;
    socket.onclose = onClose;
    socket.onmessage = (event) => {
        onMessage(String(event.data));
    };
}

/** While somebody is logged in, or nobody needs to be. */
export function startLive(): () => void {
    started = true;
    open();
    const onOnline = (): void => {
        window.clearTimeout(timer);
        void reopen();
    };
    window.addEventListener('online', onOnline);
    return () => {
        started = false;
        window.removeEventListener('online', onOnline);
        window.clearTimeout(timer);
        socket?.close();
    };
}

function join<T>(set: Set<Listener<T>>, fn: Listener<T>, subscription: object): () => void {
    if (set.size === 0) say({ type: 'subscribe', ...subscription });
    set.add(fn);
    return () => {
        set.delete(fn);
        if (set.size === 0) say({ type: 'unsubscribe', ...subscription });
    };
}

export function followExecution(executionId: string, fn: Listener<ExecutionUpdate>): () => void {
    let set = byExecution.get(executionId);
    if (set === undefined) byExecution.set(executionId, (set = new Set()));
    const leave = join(set, fn, { channel: 'execution', executionId });
    return () => {
        leave();
        if (byExecution.get(executionId)?.size === 0) byExecution.delete(executionId);
    };
}
export const followExecutions = (fn: Listener<ExecutionUpdate>): (() => void) =>
    join(all, fn, { channel: 'executions' });
export const followSystem = (fn: Listener<SystemUpdate>): (() => void) =>
    join(system, fn, { channel: 'system' });
/** Called when the connection is back after a loss. */
export function onCatchUp(fn: () => void): () => void {
    catchUps.add(fn);
    return () => {
        catchUps.delete(fn);
    };
}
