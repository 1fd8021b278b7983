// The program for a test: own ports, own data folder, stopped at the end; and a browser of its own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';

const root = new URL('../../', import.meta.url).pathname;
const program =
    process.env.CAUDAL !== undefined
        ? resolve(process.env.CAUDAL)
        : ['build/release/caudal', 'build/dev/caudal'].map((p) => root + p).find((p) => existsSync(p));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** CAUDAL_AT names the port of a system that is there already: then it is that one, for tests that need no other. */
const at = process.env.CAUDAL_AT;

export class Service {
    constructor(environment = {}, options = []) {
        this.options = options;
        this.environment = environment;
        this.folder = mkdtempSync(join(tmpdir(), 'caudal-e2e-'));
        this.port = 0;
    }
    async start() {
        if (at !== undefined) {
            this.url = `http://localhost:${at}`;
            return this;
        }
        this.process = spawn(program, ['standalone', ...this.options], {
            cwd: root,
            env: {
                PATH: process.env.PATH,
                DATA_DIR: this.folder,
                PORT: String(this.port),
                WS_PORT: '0',
                METRICS_PORT: '0',
                LOG_LEVEL: 'warn',
                WEB_DIR: root + 'build/web',
                ...this.environment,
            },
            stdio: ['ignore', 'pipe', 'inherit'],
        });
        this.exited = once(this.process, 'exit');
        for await (const line of createInterface({ input: this.process.stdout })) {
            const found = /http:\/\/[^ ]*:(\d+)/.exec(line);
            if (found !== null) {
                this.port = Number(found[1]);
                this.url = `http://localhost:${this.port}`;
                this.process.stdout.resume();
                return this;
            }
        }
        throw new Error('caudal did not start');
    }
    async stop() {
        this.process.kill('SIGTERM');
        const [code] = await this.exited;
        return code;
    }
    async kill() {
        this.process.kill('SIGKILL');
        await this.exited;
    }
    async done() {
        if (at !== undefined) {
            rmSync(this.folder, { recursive: true, force: true });
            return;
        }
        if (this.process.exitCode === null && this.process.signalCode === null) await this.stop();
        rmSync(this.folder, { recursive: true, force: true });
    }
    /** The payload of an answer; throws what the service refused. */
    async call(method, path, body, token) {
        const response = await fetch(`${this.url}${path.startsWith('/webhooks') ? '' : '/api/v1'}${path}`, {
            method,
            headers: {
                'Content-Type': 'application/json',
                ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
            },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const text = await response.text();
        const parsed = text === '' ? undefined : JSON.parse(text);
        if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
        return parsed?.data ?? parsed;
    }
    /** The execution once it is final: the condition decides, not the time. */
    async finished(executionId) {
        for (;;) {
            const execution = await this.call('GET', `/scheduler/executions/${executionId}`);
            if (['success', 'failed', 'cancelled', 'timeout'].includes(execution.status)) return execution;
            await new Promise((resolve) => setTimeout(resolve, 30));
        }
    }
}

export async function launch() {
    return chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: [
            '--headless',
            '--no-sandbox',
            '--disable-gpu',
            '--disable-quic',
            '--no-first-run',
            '--disable-background-networking',
            '--disable-component-update',
            '--disable-sync',
        ],
    });
}

/** What the tests of a file share. */
export let service;
export let browser;
const others = [];
/** Starts both before the tests, then makes what else they need, and ends all of it after them. */
export function stage(environment, more) {
    before(async () => {
        service = await new Service(environment).start();
        browser = await launch();
        await more?.();
    });
    after(async () => {
        await browser?.close();
        await service?.done();
        for (const other of others) await other.done();
    });
}
/** A further service for the tests of a file. */
export async function beside(environment) {
    const other = new Service(environment);
    others.push(other);
    return other.start();
}

/**
 * A page in a context of its own. `page.problems` gathers what must not happen: errors, refused policies, requests to
 * other hosts.
 */
export async function open(
    browser,
    service,
    { path = '/', language = 'en', theme = 'light', viewport } = {},
) {
    const context = await browser.newContext({
        viewport: viewport ?? { width: 1280, height: 800 },
        locale: language === 'es' ? 'es-ES' : 'en-GB',
        colorScheme: theme,
        reducedMotion: 'reduce',
        acceptDownloads: true,
    });
    context.setDefaultTimeout(20_000);
    await context.addInitScript(() => {
        const { fetch } = window;
        window.asked = 0; // what the page asked for and has not got yet
        window.fetch = async (...request) => {
            window.asked += 1;
            try {
                return await fetch(...request);
            } finally {
                window.asked -= 1;
            }
        };
    });
    const page = await context.newPage();
    page.problems = [];
    page.on('pageerror', (error) => page.problems.push(`error: ${error.message}`));
    page.on('console', (message) => {
        if (
            message.type() === 'error' &&
            !/Failed to load resource|WebSocket connection/.test(message.text())
        )
            page.problems.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => {
        const url = new URL(request.url());
        if (
            ['http:', 'https:', 'ws:', 'wss:'].includes(url.protocol) &&
            url.host !== new URL(service.url).host
        )
            page.problems.push(`request to another host: ${request.url()}`);
    });
    await page.goto(service.url + path);
    return page;
}

/**
 * Until the page has its heading, everything it asked for, no grey line where text will be, and a drawing (if any) that
 * stays in its place, for a few frames.
 */
export async function settled(page) {
    await page.evaluate(() => {
        window.stillFrames = 0;
    });
    await page.waitForFunction(() => {
        const drawing = document.querySelector('.react-flow__viewport')?.getBoundingClientRect();
        const place = JSON.stringify(drawing);
        const moved = place !== window.lastPlace;
        window.lastPlace = place;
        const still =
            !moved &&
            window.asked === 0 &&
            document.querySelector('h1') !== null &&
            document.querySelector('[class*="skeleton"]') === null &&
            document.fonts.status === 'loaded';
        window.stillFrames = still ? window.stillFrames + 1 : 0;
        return window.stillFrames > 3;
    });
}

/** WCAG 2.2 A and AA, and what is good practice, by axe; the violations as lines, none when all is well. */
export async function violations(page) {
    // While a dialog goes away, what it covered is still hidden.
    await page.waitForFunction(() => document.querySelector('[data-ending-style]') === null);
    // The policy allows no inline script; the debugger's evaluation is none.
    if (await page.evaluate(() => window.axe === undefined)) await page.evaluate(axe);
    // What has been scrolled below the sticky bar counts as hidden by it.
    await page.evaluate(() => window.scrollTo(0, 0));
    const found = await page.evaluate(async () => {
        const { violations: all } = await window.axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        });
        return all.map(
            (v) =>
                `${v.id}: ${v.help}: ${v.nodes
                    .map((n) => `${n.target.join(' ')} ${n.html.slice(0, 300)} (${n.failureSummary})`)
                    .slice(0, 3)
                    .join(' | ')}`,
        );
    });
    return found;
}

/** Nothing wrong with the page at the end of a test; it is closed. */
export async function finish(page, { axe: look = true } = {}) {
    if (look) assert.deepEqual(await violations(page), []);
    assert.deepEqual(page.problems, []);
    await page.context().close();
}

export const node = (id, type, config = {}) => ({
    id,
    type,
    version: '1.0.0',
    config,
    position: { x: 0, y: 0 },
});
export const link = (fromNodeId, toNodeId) => ({
    fromNodeId,
    fromOutput: 'output',
    toNodeId,
    toInput: 'input',
});
