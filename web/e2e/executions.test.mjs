// Executions: the list that follows what happens, its filter, acting on several, one in detail, two compared.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { finish, launch, link, node, open, Service, violations } from './support.mjs';

let service;
let browser;
let good;
let bad;

before(async () => {
    service = await new Service().start();
    browser = await launch();
    const rows = [
        { id: 1, status: 'open' },
        { id: 2, status: 'done' },
    ];
    good = await service.call('POST', '/flows', {
        name: 'Open orders',
        nodes: [
            node('orders', 'manual-trigger', { output: rows }),
            node('open', 'data-filter', {
                conditions: [{ field: 'status', operator: 'equals', value: 'open' }],
            }),
        ],
        connections: [link('orders', 'open')],
    });
    bad = await service.call('POST', '/flows', {
        name: 'Check stock',
        nodes: [
            node('start', 'manual-trigger'),
            node('stop', 'stop-with-error', { message: 'No stock left' }),
        ],
        connections: [link('start', 'stop')],
    });
});
after(async () => {
    await browser?.close();
    await service?.done();
});

const run = async (flow) => (await service.call('POST', `/flows/${flow.id}/run`, {})).executionId;

test('an empty list teaches', async () => {
    const page = await open(browser, service, { path: '/executions' });
    await page.getByText('Nothing has run yet').waitFor();
    await finish(page);
});

for (const [language, theme, title] of [
    ['en', 'light', 'Executions'],
    ['es', 'dark', 'Ejecuciones'],
])
    test(`the list follows what happens (${language}, ${theme})`, async () => {
        const page = await open(browser, service, { path: '/executions', language, theme });
        await page.getByRole('heading', { name: title }).waitFor();
        const id = await run(good);
        await page.locator(`a[href="/executions/${id}"]`).waitFor();
        await page
            .locator('tr', { has: page.locator(`a[href="/executions/${id}"]`) })
            .locator('[data-status="success"]')
            .waitFor();
        await finish(page);
    });

test('a filter is in the address and narrows the list', async () => {
    const failed = await run(bad);
    await service.finished(failed);
    const page = await open(browser, service, { path: '/executions?status=failed' });
    await page.locator(`a[href="/executions/${failed}"]`).waitFor();
    assert.equal(await page.locator('[data-status="success"]').count(), 0);
    await page.getByRole('searchbox').fill('nothing-has-this-id');
    await page.getByText('No execution is like that').waitFor();
    assert.match(page.url(), /search=nothing-has-this-id/);
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.locator('[data-status="success"]').first().waitFor();
    await finish(page);
});

test('several are retried and deleted together', async () => {
    const ids = [await run(bad), await run(bad)];
    for (const id of ids) await service.finished(id);
    const page = await open(browser, service, { path: `/executions?flowId=${bad.id}` });
    for (const id of ids)
        await page.getByRole('checkbox', { name: `Choose execution ${id.slice(-8)}` }).click();
    await page.getByRole('button', { name: 'Retry 2 failed' }).click();
    await page.getByText('Done for 2 executions.').waitFor();
    for (const id of ids)
        await page.getByRole('checkbox', { name: `Choose execution ${id.slice(-8)}` }).click();
    await page.getByRole('button', { name: 'Delete 2 finished' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
    await page.locator(`a[href="/executions/${ids[0]}"]`).waitFor({ state: 'detached' });
    await finish(page);
});

test('one in detail: why it failed, what each node got and gave, what it said; and again', async () => {
    const id = await run(bad);
    await service.finished(id);
    const page = await open(browser, service, { path: `/executions/${id}` });
    await page.getByRole('heading', { name: 'Check stock' }).waitFor();
    await page.getByRole('alert').filter({ hasText: 'No stock left' }).first().waitFor();
    await page.getByRole('tab', { name: 'Attempts (1)' }).click();
    await page.getByRole('cell', { name: /No stock left/ }).waitFor();
    await page.getByRole('tab', { name: 'Log', exact: true }).click();
    await page.locator('[data-level="error"]').first().waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Retry from the failed node' }).click();
    await page.waitForURL((url) => url.pathname.startsWith('/executions/') && !url.pathname.endsWith(id));
    await finish(page);
});

test('one that waits is paused, resumed and cancelled', async () => {
    const slow = await service.call('POST', '/flows', {
        name: 'Waits',
        nodes: [node('start', 'manual-trigger'), node('wait', 'delay', { durationMs: 3_600_000 })],
        connections: [link('start', 'wait')],
    });
    const page = await open(browser, service, { path: `/executions/${await run(slow)}` });
    await page.locator('[data-status="waiting"]').first().waitFor();
    await page.getByRole('button', { name: 'Cancel the run' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel the run' }).click();
    await page.locator('[data-status="cancelled"]').first().waitFor();
    await finish(page);
});

test('two are compared where they part', async () => {
    const [a, b] = [await run(good), await run(good)];
    await service.finished(a);
    await service.finished(b);
    const page = await open(browser, service, {
        path: `/executions/compare?a=${a}&b=${b}`,
        viewport: { width: 360, height: 740 },
    });
    await page.getByRole('heading', { name: 'Two executions' }).waitFor();
    await page.getByRole('cell', { name: 'the same' }).first().waitFor();
    await finish(page);
});

test('one runs again with another input', async () => {
    const id = await run(bad);
    await service.finished(id);
    const page = await open(browser, service, { path: `/executions/${id}` });
    await page.getByRole('button', { name: 'Run again…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Run again' });
    await dialog.getByLabel('Input (JSON)').fill('{"stock": ');
    await dialog.getByRole('button', { name: 'Run', exact: true }).click();
    await dialog.getByRole('alert').getByText('This is no JSON').waitFor();
    assert.deepEqual(await violations(page), []);
    await dialog.getByLabel('Input (JSON)').fill('{"stock": 0}');
    await dialog.getByRole('button', { name: 'Run', exact: true }).click();
    await page.waitForURL((url) => url.pathname.startsWith('/executions/') && !url.pathname.endsWith(id));
    const again = await service.finished(page.url().split('/').at(-1));
    assert.deepEqual([again.input, again.metadata.rerunOf], [{ stock: 0 }, id]);
    await finish(page);
});

test('under load the list stands still, counts what is newer, and shows it when asked', async () => {
    const hook = await service.call('POST', '/flows', {
        name: 'Busy',
        nodes: [node('hook', 'webhook-trigger', { path: 'busy', responseMode: 'lastNode' })],
        connections: [],
    });
    await service.call('PUT', `/flows/${hook.id}`, { status: 'active' });
    const page = await open(browser, service, { path: '/executions' });
    const first = page.locator('tbody tr a').first();
    await first.waitFor();
    let going = true;
    let ran = 0;
    const caller = async () => {
        while (going) {
            await service.call('POST', '/webhooks/busy', { n: 1 });
            ran += 1;
        }
    };
    const callers = Array.from({ length: 8 }, caller);
    try {
        const newer = page.getByRole('button', { name: /newer executions: show/ });
        await newer.waitFor();
        const shown = await first.getAttribute('href');
        const counted = async () => Number((await newer.textContent()).replace(/\D/g, ''));
        const before = await counted();
        while ((await counted()) < before + 200) await new Promise((resolve) => setTimeout(resolve, 100));
        assert.equal(await first.getAttribute('href'), shown, 'the rows stay where they are');
        await newer.click();
        await page.waitForFunction(
            (href) => document.querySelector('tbody tr a')?.getAttribute('href') !== href,
            shown,
        );
    } finally {
        going = false;
        await Promise.all(callers);
    }
    assert.ok(ran > 200);
    await finish(page);
});
