// The page against the program: every page in both languages and themes, narrow too; drawing, running, watching.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Service, launch, open, violations } from './support.mjs';

const root = new URL('../../', import.meta.url).pathname;
const paths = [
    '/',
    '/flows',
    '/flows/new',
    '/executions',
    '/schedules',
    '/hooks',
    '/variables',
    '/access',
    '/workers',
    '/dead-letters',
    '/settings',
];
let service, browser, flow;

before(async () => {
    service = await new Service().start();
    browser = await launch();
    flow = await service.call('POST', '/flows', JSON.parse(readFileSync(`${root}examples/orders.json`)));
});
after(async () => {
    await browser?.close();
    await service?.done();
});

const settled = async (page) => {
    await page.waitForLoadState('networkidle');
    await page.locator('h1').first().waitFor({ state: 'attached' });
};

for (const [language, theme] of [
    ['en', 'light'],
    ['es', 'dark'],
])
    test(`every page is accessible and keeps to the policy: ${language}, ${theme}`, async () => {
        for (const path of [...paths, `/flows/${flow.id}`, '/nowhere']) {
            const page = await open(browser, service, { path, language, theme });
            if (path === '/nowhere') await page.waitForLoadState('networkidle');
            else await settled(page);
            assert.equal(await page.evaluate(() => document.documentElement.lang), language, path);
            assert.deepEqual(await violations(page), [], path);
            assert.deepEqual(page.problems, [], path);
            await page.context().close();
        }
    });

test('nothing is wider than 360 px', async () => {
    for (const path of paths) {
        const page = await open(browser, service, { path, viewport: { width: 360, height: 740 } });
        await settled(page);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= 360, `${path} is ${width} wide`);
        await page.context().close();
    }
});

test('draw by clicks, connect, save, run, watch, undo', async () => {
    const page = await open(browser, service, { path: '/flows/new' });
    await page.getByRole('button', { name: /^Manual Trigger/ }).click();
    await page.getByRole('button', { name: /^Set Fields/ }).click();
    const steps = page.locator('.react-flow__node');
    await steps.nth(1).waitFor();
    assert.equal(await page.locator('.react-flow__edge').count(), 1, 'what follows is connected');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: 'Redo' }).click();
    await page.locator('.react-flow__edge').waitFor({ state: 'attached' });
    await page.getByLabel('Name of the flow').fill('Drawn by a test');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.waitForURL(/\/flows\/[0-9a-f-]{36}$/);
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByLabel('Input (JSON)').fill('{"a": 1}');
    await page.getByRole('dialog').getByRole('button', { name: 'Run' }).click();
    const last = page.getByRole('region', { name: 'Last run' });
    await last.locator('[data-status="success"], [data-status="failed"]').first().waitFor();
    await last.getByRole('button', { name: 'manual-trigger' }).click();
    await page.getByRole('tab', { name: 'Output' }).click();
    await page.getByRole('tabpanel').getByText('"a": 1').waitFor();
    assert.deepEqual(page.problems, []);
    const flows = await service.call('GET', '/flows?search=Drawn');
    assert.equal(flows.data.length, 1);
    await page.context().close();
});

test('what does not fit is not connected, and a node can be renamed and set', async () => {
    const page = await open(browser, service, { path: `/flows/${flow.id}` });
    await page.locator('.react-flow__node').first().waitFor();
    await page
        .locator('.react-flow__edge')
        .nth(flow.connections.length - 1)
        .waitFor({ state: 'attached' });
    await page.locator('.react-flow__node').first().click();
    const name = page.getByLabel('Name in the flow');
    await name.fill('renamed');
    await name.blur();
    await page.locator('.react-flow__node').getByText('renamed', { exact: true }).waitFor();
    assert.equal(
        await page.locator('.react-flow__edge').count(),
        flow.connections.length,
        'its connections go with it',
    );
    page.on('dialog', (dialog) => dialog.accept());
    await page.context().close();
});

test('the palette goes anywhere by keyboard, and ? tells the keys', async () => {
    const page = await open(browser, service, { path: '/' });
    await settled(page);
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').fill('orders');
    await page.getByRole('option', { name: /Orders by country/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(new RegExp(flow.id));
    await page.goto(service.url + '/flows');
    await settled(page);
    await page.keyboard.press('g');
    await page.keyboard.press('s');
    await page.waitForURL(/schedules/);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.context().close();
});

test('a flow is imported and exported from the list', async () => {
    const page = await open(browser, service, { path: '/flows', language: 'es', theme: 'dark' });
    await page.locator('input[type=file]').setInputFiles(`${root}examples/watch.json`);
    await page.getByRole('link', { name: 'Watch the product API' }).waitFor();
    await page.getByRole('button', { name: /Acciones para Watch/ }).click();
    const downloading = page.waitForEvent('download');
    await page.getByRole('menuitem', { name: 'Exportar' }).click();
    const saved = JSON.parse(readFileSync(await (await downloading).path()));
    assert.equal(saved.name, 'Watch the product API');
    assert.ok(saved.nodes.length > 0 && saved.connections.length > 0);
    await page.context().close();
});

test('where a login is needed it is asked for, and ends', async () => {
    const guarded = await new Service({
        JWT_SECRET: 'a secret of thirty-two bytes or more',
        ADMIN_PASSWORD: 'a long password',
    }).start();
    try {
        const page = await open(browser, guarded, { path: '/flows' });
        await page.getByLabel('User name').fill('admin');
        await page.getByLabel('Password').fill('not the password');
        assert.deepEqual(await violations(page), []);
        await page.getByRole('button', { name: 'Log in' }).click();
        await page.getByRole('alert').getByText('do not go together').waitFor();
        await page.getByLabel('Password').fill('a long password');
        await page.getByRole('button', { name: 'Log in' }).click();
        await page.getByRole('heading', { name: 'Flows' }).waitFor();
        await page.reload();
        await page.getByRole('heading', { name: 'Flows' }).waitFor();
        await page.getByRole('button', { name: /Preferences and account: admin/ }).click();
        await page.getByRole('menuitem', { name: 'Log out' }).click();
        await page.getByLabel('User name').waitFor();
        await page.context().close();
    } finally {
        await guarded.done();
    }
});

test('after a restart of the service the page is back by itself', async () => {
    const own = await new Service().start();
    try {
        const page = await open(browser, own, { path: '/flows' });
        await settled(page);
        await own.kill();
        await page.getByText('The connection is lost').waitFor();
        await own.start();
        await own.call('POST', '/flows', {
            name: 'Made meanwhile',
            nodes: flow.nodes,
            connections: flow.connections,
        });
        await page.getByText('Connected again').waitFor();
        await page.getByRole('link', { name: 'Made meanwhile' }).waitFor();
        await page.context().close();
    } finally {
        await own.done();
    }
});

test('the first load is under 300 KiB compressed, and the editor is not in it', async () => {
    const page = await open(browser, service, { path: '/about:blank' });
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    await session.send('Network.setCacheDisabled', { cacheDisabled: true });
    let bytes = 0;
    const urls = new Map();
    session.on('Network.responseReceived', ({ requestId, response }) => urls.set(requestId, response.url));
    session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
        if (!urls.get(requestId)?.includes('/api/')) bytes += encodedDataLength;
    });
    await page.goto(service.url + '/');
    await settled(page);
    assert.ok(bytes > 50_000 && bytes < 300 * 1024, `${Math.round(bytes / 1024)} KiB`);
    assert.ok(![...urls.values()].some((url) => url.includes('editor-page')));
    const names = readdirSync(`${root}build/web/assets`);
    assert.ok(
        names.some((name) => name.startsWith('editor-page')) &&
            names.some((name) => name.startsWith('code-editor')),
    );
    await page.context().close();
});
