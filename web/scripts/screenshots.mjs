// Writes docs/images/*.png: the program with the demo flows and real executions, as a browser shows it.
// node scripts/screenshots.mjs [NAME…]   (CAUDAL names the program; the page is build/web)
import { spawn } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { launch, link, node, open, Service } from '../e2e/support.mjs';

const root = new URL('../../', import.meta.url).pathname;
const wanted = process.argv.slice(2);
const out = `${root}docs/images/`;
mkdirSync(out, { recursive: true });

const service = await new Service({ SECRETS_KEY: 'a key of at least thirty-two characters' }, [
    '--demo',
    'examples',
]).start();
const guarded = await new Service({
    JWT_SECRET: 'a secret of more than thirty-two bytes',
    ADMIN_PASSWORD: 'correct horse',
}).start();
const api = spawn(`${root}examples/catalogue-api`, { stdio: 'ignore' });
const browser = await launch();
try {
    const data = await fill();
    await fillAccess();
    for (const [name, path, options = {}] of pictures(data)) {
        if (wanted.length > 0 && !wanted.includes(name)) continue;
        await picture(name, path, options);
    }
} finally {
    await browser.close();
    api.kill();
    await service.done();
    await guarded.done();
}

/** Flows, schedules, values, and a few minutes' worth of executions in a few seconds of them. */
async function fill() {
    const flows = (await service.call('GET', '/flows?limit=100')).data;
    const orders = flows.find((flow) => flow.name === 'Orders by country');
    const watch = flows.find((flow) => flow.name === 'Watch the product API');
    const intake = await service.call('POST', '/flows', {
        name: 'Order intake',
        description: 'Takes orders from the shop, keeps the open ones and answers with their number.',
        nodes: [
            { ...node('hook', 'webhook-trigger', { path: 'orders', responseMode: 'lastNode' }) },
            {
                ...node('open', 'data-filter', {
                    conditions: [{ field: 'status', operator: 'equals', value: 'open' }],
                }),
                position: { x: 260, y: 0 },
            },
        ],
        connections: [{ fromNodeId: 'hook', fromOutput: 'body', toNodeId: 'open', toInput: 'data' }],
    });
    await service.call('PUT', `/flows/${intake.id}`, { status: 'active' });
    const stock = await service.call('POST', '/flows', {
        name: 'Check stock',
        description: 'Stops with an error when a product has run out.',
        nodes: [
            node('start', 'manual-trigger'),
            {
                ...node('stop', 'stop-with-error', { message: 'No stock left of "Desk lamp"' }),
                position: { x: 260, y: 0 },
            },
        ],
        connections: [link('start', 'stop')],
    });
    const approval = await service.call('POST', '/flows', {
        name: 'Refunds',
        description: 'Asks somebody before money goes back, and waits for the bank.',
        nodes: [
            node('start', 'manual-trigger'),
            {
                ...node('ask', 'wait', {
                    mode: 'approval',
                    title: 'Refund 129 € to Ana?',
                    message: 'Order 1042, returned on Monday.',
                    timeoutMs: 86_400_000,
                }),
                position: { x: 260, y: 0 },
            },
            { ...node('bank', 'wait', { mode: 'signal', name: 'booked' }), position: { x: 260, y: 160 } },
        ],
        connections: [
            { ...link('start', 'ask'), toInput: 'data' },
            { ...link('start', 'bank'), toInput: 'data' },
        ],
    });
    for (const [name, flowId, cronExpression] of [
        ['Every five minutes', watch.id, '*/5 * * * *'],
        ['Sales of the night', orders.id, '0 2 * * *'],
        ['Monday report', orders.id, '30 8 * * 1'],
    ])
        await service.call('POST', '/scheduler/schedules', {
            flowId,
            name,
            cronExpression,
            timezone: 'Europe/Madrid',
        });
    await service.call('POST', '/variables', {
        name: 'shop',
        value: 'https://shop.example.com',
        description: 'Address of the shop',
    });
    await service.call('POST', '/variables', { name: 'limits', value: { perMinute: 120, retries: 3 } });
    for (const [name, description] of [
        ['shop_token', 'Reads orders'],
        ['mail_password', 'Of reports@example.com'],
    ])
        await service.call('POST', '/secrets', { name, value: 'correct horse battery', description });
    const call = async () => {
        for (let i = 0; i < 60; i++) {
            await service.call('POST', '/webhooks/orders', [
                { id: i, status: i % 3 === 0 ? 'done' : 'open' },
            ]);
            await new Promise((resolve) => setTimeout(resolve, 20 + ((i * 37) % 200)));
        }
    };
    const execution = (await service.call('POST', `/flows/${orders.id}/run`, {})).executionId;
    await Promise.all([call(), call(), call(), call()]);
    let failed;
    for (let i = 0; i < 3; i++) {
        failed = (await service.call('POST', `/flows/${stock.id}/run`, {})).executionId;
        await service.finished(failed);
    }
    const waiting = (await service.call('POST', `/flows/${approval.id}/run`, {})).executionId;
    await service.finished((await service.call('POST', `/flows/${orders.id}/run`, {})).executionId);
    await service.finished(execution);
    await Promise.all([call(), call()]);
    return { orders, execution, waiting, failed };
}

async function fillAccess() {
    const { accessToken } = await guarded.call('POST', '/auth/login', {
        username: 'admin',
        password: 'correct horse',
    });
    for (const [username, role] of [
        ['ana', 'editor'],
        ['luis', 'operator'],
        ['marta', 'viewer'],
    ])
        await guarded.call('POST', '/users', { username, role, password: 'a long password' }, accessToken);
}

/** Each page in English and light, in Spanish and dark, and on a narrow screen. */
function pictures({ orders, execution, waiting, failed }) {
    const pages = [
        ['overview', '/'],
        ['executions', '/executions'],
        ['execution', `/executions/${execution}`],
        ['waiting', `/executions/${waiting}`],
        ['compare', `/executions/compare?a=${execution}&b=${failed}`],
        ['flows', '/flows'],
        ['editor', `/flows/${orders.id}`],
        ['schedules', '/schedules'],
        ['webhooks', '/hooks'],
        ['variables', '/variables'],
        ['secrets', '/variables?kind=secrets'],
        ['workers', '/workers'],
        ['dead-letters', '/dead-letters'],
        ['settings', '/settings'],
        ['access', '/access', { login: true }],
        ['login', '/', { on: guarded }],
    ];
    return pages.flatMap(([name, path, options]) => [
        [name, path, options],
        [`${name}-es`, path, { ...options, language: 'es', theme: 'dark' }],
        [`${name}-narrow`, path, { ...options, viewport: { width: 360, height: 780 } }],
    ]);
}

async function picture(name, path, { login, on, ...options }) {
    const page = await open(browser, login || on ? guarded : service, { path, ...options });
    if (login) {
        await page.getByLabel(/User name|Nombre de usuario/).fill('admin');
        await page.getByLabel(/Password|Contraseña/).fill('correct horse');
        await page.getByRole('button', { name: /Log in|Iniciar sesión/ }).click();
        await page.getByText('marta', { exact: true }).waitFor();
    }
    await page.waitForLoadState('networkidle');
    await page.locator('h1').first().waitFor({ state: 'attached' });
    if (path === '/' && on === undefined) await page.locator('canvas').nth(3).waitFor({ state: 'attached' });
    if (path.startsWith('/flows/')) await page.locator('.react-flow__node').first().waitFor();
    // Grey lines stand where text will be.
    await page.waitForFunction(() => document.querySelector('[class*="skeleton"]') === null);
    await page.evaluate(() => document.fonts.ready);
    // What was drawn last moves no more.
    await page.waitForTimeout(700);
    const file = `${out}${name}.png`;
    await page.screenshot({ path: file });
    const kib = Math.round(statSync(file).size / 1024);
    console.log(`${name}.png ${kib} KiB${kib > 200 ? ' (too large)' : ''}`);
    if (page.problems.length > 0) console.log(page.problems.join('\n'));
    await page.context().close();
}
