/* The API: typed by the program's own OpenAPI document, with the session's token and one kind of error. */
import createClient, { type Middleware } from 'openapi-fetch';
import { accessToken, renewSession } from '@/lib/auth/session';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];

export interface Problem {
    code: string;
    message: string;
    nodeId?: string | null;
    field?: string | null;
}

/** What the service refused, or that it was not reached (status 0, code UNREACHABLE). */
export class ApiError extends Error {
    constructor(
        readonly status: number,
        readonly code: string,
        message: string,
        readonly field: string | null = null,
        readonly problems: Problem[] = [],
    ) {
        super(message);
        this.name = 'ApiError';
    }
    get unreachable(): boolean {
        return this.status === 0 || this.status === 502 || this.status === 504;
    }
}

function errorOf(status: number, body: unknown): ApiError {
    const it = (typeof body === 'object' && body !== null ? body : {}) as {
        code?: unknown;
        message?: unknown;
        details?: { field?: unknown; errors?: unknown };
    };
    const message = Array.isArray(it.message) ? it.message.join(' ') : it.message;
    return new ApiError(
        status,
        typeof it.code === 'string' ? it.code : 'HTTP_ERROR',
        typeof message === 'string' && message !== '' ? message : `HTTP ${String(status)}`,
        typeof it.details?.field === 'string' ? it.details.field : null,
        Array.isArray(it.details?.errors) ? (it.details.errors as Problem[]) : [],
    );
}

const session: Middleware = {
    onRequest({ request }) {
        const token = accessToken();
        if (token !== null) request.headers.set('Authorization', `Bearer ${token}`);
        return request;
    },
};

/** A token that ran out is renewed once, and the request sent again. */
async function send(request: Request): Promise<Response> {
    const spare = request.clone();
    let response: Response;
    try {
        response = await fetch(request);
    } catch (cause) {
        if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
        throw new ApiError(0, 'UNREACHABLE', 'The service cannot be reached.');
    }
    if (response.status !== 401 || request.url.includes('/api/v1/auth/')) return response;
    const token = await renewSession();
    if (token === null) return response;
    spare.headers.set('Authorization', `Bearer ${token}`);
    return fetch(spare);
}

export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: send });
api.use(session);

interface Answer<B> {
    data?: B;
    error?: unknown;
    response: Response;
}
type Payload<B> = B extends { data?: infer D } ? Exclude<D, undefined> : undefined;

/** The payload of {data, timestamp, path}, or an ApiError. */
export async function payload<B>(answer: Promise<Answer<B>>): Promise<Payload<B>> {
    const { data, error, response } = await answer;
    if (!response.ok) throw errorOf(response.status, error);
    return (data as { data?: unknown } | undefined)?.data as Payload<B>;
}

/** Routes that the document says too little about: their payload is what the caller says it is. */
export async function call<T>(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
): Promise<T> {
    const headers = new Headers();
    const token = accessToken();
    if (token !== null) headers.set('Authorization', `Bearer ${token}`);
    if (body !== undefined) headers.set('Content-Type', 'application/json');
    const response = await send(
        new Request(new URL(path, window.location.origin), {
            method,
            headers,
            body: body === undefined ? null : JSON.stringify(body),
            signal: signal ?? null,
        }),
    );
    const text = await response.text();
    let parsed: unknown;
    try {
        parsed = text === '' ? undefined : JSON.parse(text);
    } catch {
        parsed = undefined;
    }
    if (!response.ok) throw errorOf(response.status, parsed);
    return (parsed as { data?: unknown } | undefined)?.data as T;
}
