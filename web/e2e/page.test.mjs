// The page against the program: every page in both languages and themes, narrow too; drawing, running, watching.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { beside, browser, finish, open, Service, service, settled, stage, violations } from './support.mjs';
import { inBoth } from './texts.mjs';

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
let guarded, flow;

stage({}, async () => {
    guarded = await beside({
        JWT_SECRET: 'a secret of thirty-two bytes or more',
        ADMIN_PASSWORD: 'a long password',
    });
    flow = await service.call('POST', '/flows', JSON.parse(readFileSync(`${root}examples/orders.json`)));
});

inBoth(
    'every page is accessible, keeps to the policy and is not wider than 360 px',
    async ({ language, look }) => {
        const page = await open(browser, service, { path: '/flows', ...look });
        const { width, height } = page.viewportSize();
        for (const path of [...paths, `/flows/${flow.id}`, '/nowhere']) {
            await page.setViewportSize({ width, height });
            await page.goto(service.url + path);
            await settled(page);
            assert.equal(await page.evaluate(() => document.documentElement.lang), language, path);
            assert.deepEqual(await violations(page), [], path);
            assert.deepEqual(page.problems, [], path);
            await page.setViewportSize({ width: 360, height: 740 });
            const needed = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(needed <= 360, `${path} is ${needed} wide`);
        }
        await page.context().close();
    },
);

inBoth('draw by clicks, connect, undo, run at once, watch', async ({ t, look, language }) => {
    const page = await open(browser, service, { path: '/flows/new', ...look });
    const { width, height } = page.viewportSize();
    await page.setViewportSize({ width: 360, height });
    await page.getByText(t('editor:startNarrow')).waitFor(); // where no node is to be chosen, none is spoken of
    assert.ok(await page.getByText(t('editor:start')).isHidden());
    await page.setViewportSize({ width, height });
    await page.getByText(t('editor:start')).waitFor();
    await page.getByRole('button', { name: t('catalog:nodes.manual-trigger.name') }).click();
    await page.getByRole('button', { name: t('catalog:nodes.set-fields.name') }).click();
    const steps = page.locator('.react-flow__node');
    await steps.nth(1).waitFor();
    assert.equal(await page.locator('.react-flow__edge').count(), 1, 'what follows is connected');
    await page.getByRole('button', { name: t('editor:undo') }).click();
    await page.getByRole('button', { name: t('editor:redo') }).click();
    await page.locator('.react-flow__edge').waitFor({ state: 'attached' });
    if (language === 'es')
        await service.call('POST', '/flows', {
            name: t('editor:newName'),
            nodes: flow.nodes,
            connections: flow.connections,
        });
    else await page.getByLabel(t('editor:name')).fill(`Drawn by a test in ${language}`);
    await page.getByRole('button', { name: t('editor:run'), exact: true }).click();
    await page.getByLabel(t('editor:runInput')).fill('{"a": 1}');
    await page
        .getByRole('dialog')
        .getByRole('button', { name: t('editor:run') })
        .click();
    await page.waitForURL(/\/flows\/[0-9a-f-]{36}$/); // it was saved for the run
    const last = page.getByRole('region', { name: t('editor:execution') });
    await last.locator('[data-status="success"], [data-status="failed"]').first().waitFor();
    await last.getByRole('button', { name: 'manual-trigger' }).click();
    await page.getByRole('tab', { name: t('editor:output') }).click();
    await page.getByRole('tabpanel').getByText('"a": 1').waitFor();
    assert.deepEqual(page.problems, []);
    // Who gives none gets a free name.
    const name = language === 'es' ? `${t('editor:newName')} 2` : `Drawn by a test in ${language}`;
    const flows = await service.call('GET', `/flows?search=${encodeURIComponent(name)}`);
    assert.deepEqual(
        flows.data.map((one) => one.name),
        [name],
    );
    await page.context().close();
});

inBoth('what does not fit is not connected, and a node can be renamed and set', async ({ t, look }) => {
    const page = await open(browser, service, { path: `/flows/${flow.id}`, ...look });
    await page.locator('.react-flow__node').first().waitFor();
    await page
        .locator('.react-flow__edge')
        .nth(flow.connections.length - 1)
        .waitFor({ state: 'attached' });
    await page.locator('.react-flow__node').first().click();
    const name = page.getByLabel(t('editor:nodeId'));
    await name.fill('renamed');
    await name.blur();
    await page.locator('.react-flow__node').getByText('renamed', { exact: true }).waitFor();
    assert.equal(
        await page.locator('.react-flow__edge').count(),
        flow.connections.length,
        'its connections go with it',
    );
    page.on('dialog', (dialog) => dialog.accept());
    // What is missing is told at its field, on the node and in the list, by the name that the form shows.
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: t('catalog:nodes.template.name') }).click();
    const missing = t('editor:quoted', { name: t.spoken('Template') });
    await page.getByRole('alert').filter({ hasText: missing }).waitFor();
    await page.locator('.react-flow__node[data-id="template"]').getByText(missing).waitFor();
    await page.getByRole('textbox', { name: t.spoken('Template') }).fill('{{ input. }}');
    await page.getByRole('alert').filter({ hasText: missing }).waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: t('editor:warnings', { count: 2 }) }).click();
    const list = page.getByRole('complementary', { name: t('editor:problemList') });
    await list.getByText(t('editor:problemCodes.INVALID_EXPRESSION')).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.context().close();
});

inBoth('the palette goes anywhere by keyboard, and ? tells the keys', async ({ t, look }) => {
    const page = await open(browser, service, { path: '/', ...look });
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
    await page.getByRole('dialog', { name: t('keys.title') }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.context().close();
});

inBoth('a flow is imported and exported from the list', async ({ t, look, language }) => {
    const page = await open(browser, service, { path: '/flows', ...look });
    const given = { ...JSON.parse(readFileSync(`${root}examples/watch.json`)), name: `Watch in ${language}` };
    await page.locator('input[type=file]').setInputFiles({
        name: 'watch.json',
        mimeType: 'application/json',
        buffer: Buffer.from(JSON.stringify(given)),
    });
    await page.getByRole('link', { name: given.name }).waitFor();
    await page.getByRole('button', { name: t('flows:actionsOf', { name: given.name }) }).click();
    const downloading = page.waitForEvent('download');
    await page.getByRole('menuitem', { name: t('flows:export') }).click();
    const saved = JSON.parse(readFileSync(await (await downloading).path()));
    assert.deepEqual(
        [saved.name, saved.nodes.length, saved.connections.length],
        [given.name, given.nodes.length, given.connections.length],
    );
    await page.context().close();
});

inBoth('where a login is needed it is asked for, and ends', async ({ t, look }) => {
    const page = await open(browser, guarded, { path: '/flows', ...look });
    await page.getByLabel(t('login.username')).fill('admin');
    await page.getByLabel(t('login.password')).fill('not the password');
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: t('login.submit') }).click();
    await page.getByRole('alert').getByText(t('login.refused')).waitFor();
    await page.getByLabel(t('login.password')).fill('a long password');
    await page.getByRole('button', { name: t('login.submit') }).click();
    await page.getByRole('heading', { name: t('flows:title') }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: t('flows:title') }).waitFor();
    await page.getByRole('button', { name: `${t('account.menu')}: admin` }).click();
    await page.getByRole('menuitem', { name: t('account.logOut') }).click();
    await page.getByLabel(t('login.username')).waitFor();
    await finish(page);
});

inBoth('after a restart of the service the page is back by itself', async ({ t, look }) => {
    const own = await new Service().start();
    try {
        const page = await open(browser, own, { path: '/flows', ...look });
        await settled(page);
        await own.kill();
        await page.getByText(t('connection.lost')).waitFor();
        await own.start();
        await own.call('POST', '/flows', {
            name: 'Made meanwhile',
            nodes: flow.nodes,
            connections: flow.connections,
        });
        await page.getByText(t('connection.back')).waitFor();
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
