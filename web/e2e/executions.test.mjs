// Executions: the list that follows what happens, its filter, acting on several, one in detail, two compared.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { browser, finish, link, node, open, service, stage, violations } from './support.mjs';
import { inBoth } from './texts.mjs';

let good;
let bad;

stage({}, async () => {
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

const run = async (flow) => (await service.call('POST', `/flows/${flow.id}/run`, {})).executionId;

inBoth('an empty list teaches', async ({ t, look }) => {
    const page = await open(browser, service, { path: '/executions', ...look });
    await page.getByText(t('executions:empty.title')).waitFor();
    await finish(page);
});

inBoth('the list follows what happens', async ({ t, look }) => {
    const page = await open(browser, service, { path: '/executions', ...look });
    await page.getByRole('heading', { name: t('executions:title') }).waitFor();
    const id = await run(good);
    await page.locator(`a[href="/executions/${id}"]`).waitFor();
    await page
        .locator('tr', { has: page.locator(`a[href="/executions/${id}"]`) })
        .locator('[data-status="success"]')
        .waitFor();
    await finish(page);
});

inBoth('a filter is in the address and narrows the list', async ({ t, look }) => {
    const failed = await run(bad);
    await service.finished(failed);
    const page = await open(browser, service, { path: '/executions?status=failed', ...look });
    await page.locator(`a[href="/executions/${failed}"]`).waitFor();
    assert.equal(await page.locator('[data-status="success"]').count(), 0);
    await page.getByRole('searchbox').fill('nothing-has-this-id');
    await page.getByText(t('executions:none.title')).waitFor();
    assert.match(page.url(), /search=nothing-has-this-id/);
    await page.getByRole('button', { name: t('actions.clear') }).click();
    await page.locator('[data-status="success"]').first().waitFor();
    await finish(page);
});

inBoth('several are retried and deleted together', async ({ t, look }) => {
    const ids = [await run(bad), await run(bad)];
    for (const id of ids) await service.finished(id);
    const page = await open(browser, service, { path: `/executions?flowId=${bad.id}`, ...look });
    for (const id of ids)
        await page.getByRole('checkbox', { name: t('executions:choose', { id: id.slice(-8) }) }).click();
    await page.getByRole('button', { name: t('executions:bulk.retry', { count: 2 }) }).click();
    await page.getByText(t('executions:bulk.done', { count: 2 })).waitFor();
    for (const id of ids)
        await page.getByRole('checkbox', { name: t('executions:choose', { id: id.slice(-8) }) }).click();
    await page.getByRole('button', { name: t('executions:bulk.delete', { count: 2 }) }).click();
    await page
        .getByRole('alertdialog')
        .getByRole('button', { name: t('actions.delete') })
        .click();
    await page.locator(`a[href="/executions/${ids[0]}"]`).waitFor({ state: 'detached' });
    await finish(page);
});

inBoth(
    'one in detail: why it failed, what each node got and gave, what it said; and again',
    async ({ t, look }) => {
        const id = await run(bad);
        await service.finished(id);
        const page = await open(browser, service, { path: `/executions/${id}`, ...look });
        await page.getByRole('heading', { name: 'Check stock' }).waitFor();
        await page.getByRole('alert').filter({ hasText: 'No stock left' }).first().waitFor();
        await page.getByRole('tab', { name: t('executions:input'), exact: true, selected: true }).waitFor();
        await page.getByRole('tab', { name: t('executions:attempts', { count: 1 }) }).click();
        await page.getByRole('cell', { name: /No stock left/ }).waitFor();
        await page.getByRole('tab', { name: t('executions:logs'), exact: true }).click();
        await page.locator('[data-level="error"]').first().waitFor();
        assert.deepEqual(await violations(page), []);
        await page.getByRole('button', { name: t('executions:retryFailed') }).click();
        await page.waitForURL((url) => url.pathname.startsWith('/executions/') && !url.pathname.endsWith(id));
        await finish(page);
    },
);

inBoth('one that waits is paused, resumed and cancelled', async ({ t, look, language }) => {
    const slow = await service.call('POST', '/flows', {
        name: `Waits ${language}`,
        nodes: [node('start', 'manual-trigger'), node('wait', 'delay', { durationMs: 3_600_000 })],
        connections: [link('start', 'wait')],
    });
    const page = await open(browser, service, { path: `/executions/${await run(slow)}`, ...look });
    await page.locator('[data-status="waiting"]').first().waitFor();
    await page.getByRole('button', { name: t('executions:pause') }).click();
    await page.locator('[data-status="paused"]').first().waitFor();
    await page.getByRole('button', { name: t('executions:resume') }).click();
    await page.locator('[data-status="waiting"]').first().waitFor();
    await page.getByRole('button', { name: t('executions:cancel') }).click();
    await page
        .getByRole('alertdialog')
        .getByRole('button', { name: t('executions:cancel') })
        .click();
    await page.locator('[data-status="cancelled"]').first().waitFor();
    await finish(page);
});

inBoth('two are compared where they part', async ({ t, look }) => {
    const [a, b] = [await run(good), await run(good)];
    await service.finished(a);
    await service.finished(b);
    const page = await open(browser, service, {
        path: `/executions/compare?a=${a}&b=${b}`,
        viewport: { width: 360, height: 740 },
        ...look,
    });
    await page.getByRole('heading', { name: t('executions:compare.title') }).waitFor();
    await page
        .getByRole('cell', { name: t('executions:compare.same') })
        .first()
        .waitFor();
    await finish(page);
});

inBoth('one runs again with another input', async ({ t, look }) => {
    const id = await run(bad);
    await service.finished(id);
    const page = await open(browser, service, { path: `/executions/${id}`, ...look });
    await page.getByRole('button', { name: t('executions:rerun.action') }).click();
    const dialog = page.getByRole('dialog', { name: t('executions:rerun.title') });
    await dialog.getByLabel(t('executions:rerun.input')).fill('{"stock": ');
    await dialog.getByRole('button', { name: t('executions:rerun.run'), exact: true }).click();
    await dialog.getByRole('alert').getByText(t.like('executions:rerun.notJson')).waitFor();
    assert.deepEqual(await violations(page), []);
    await dialog.getByLabel(t('executions:rerun.input')).fill('{"stock": 0}');
    await dialog.getByRole('button', { name: t('executions:rerun.run'), exact: true }).click();
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
