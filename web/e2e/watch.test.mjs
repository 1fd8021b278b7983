// Watching: nodes light up as they begin, signals let go on what waits.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after } from 'node:test';
import { browser, finish, link, node, open, service, stage, violations } from './support.mjs';
import { inBoth } from './texts.mjs';

let target;
/** The request that is held, until the test answers it. */
let held;

stage({}, async () => {
    target = createServer((request, response) => {
        held(response);
    }).listen(0);
    await once(target, 'listening');
});
after(() => {
    target?.close();
});

inBoth('a node is shown as running while it runs', async ({ t, look, language }) => {
    const request = new Promise((resolve) => {
        held = resolve;
    });
    const flow = await service.call('POST', '/flows', {
        name: `Slow ${language}`,
        nodes: [
            node('start', 'manual-trigger'),
            {
                ...node('ask', 'http-request', { url: `http://127.0.0.1:${target.address().port}/` }),
                position: { x: 300, y: 0 },
            },
            { ...node('say', 'log', { message: 'done' }), position: { x: 600, y: 0 } },
        ],
        connections: [
            { ...link('start', 'ask'), toInput: 'body' },
            { ...link('ask', 'say'), fromOutput: 'response', toInput: 'data' },
        ],
    });
    const page = await open(browser, service, { path: `/flows/${flow.id}`, ...look });
    const step = (id, status) =>
        page.locator(`.react-flow__node[data-id="${id}"] [data-status="${status}"]`).first();
    await page.locator('.react-flow__node').nth(2).waitFor();
    const run = t('editor:run');
    await page.getByRole('button', { name: run, exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: run, exact: true }).click();
    const response = await request;
    await step('ask', 'running').waitFor();
    await step('start', 'success').waitFor();
    assert.equal(await step('say', 'running').count(), 0);
    assert.deepEqual(await violations(page), []);
    response.end('"answer"');
    await step('ask', 'success').waitFor();
    await step('say', 'success').waitFor();
    // When each of them ran, and a way to it.
    const times = page.locator('[class*="gantt"]');
    await times.locator('i[data-status="success"]').nth(2).waitFor();
    assert.deepEqual(await times.getByRole('button').allInnerTexts(), ['start', 'ask', 'say']);
    await times.getByRole('button', { name: 'ask', exact: true }).click();
    await page.locator('.react-flow__node.selected[data-id="ask"]').waitFor();
    await finish(page);
});

inBoth('a signal that is sent from the page lets the execution go on', async ({ t, look, language }) => {
    const flow = await service.call('POST', '/flows', {
        name: `Waits for word in ${language}`,
        nodes: [
            node('start', 'manual-trigger', { output: { asked: 'Ana' } }),
            node('word', 'wait', { mode: 'signal', name: 'go' }),
        ],
        connections: [{ ...link('start', 'word'), toInput: 'data' }],
    });
    const { executionId } = await service.call('POST', `/flows/${flow.id}/run`, {});
    const page = await open(browser, service, { path: `/executions/${executionId}`, ...look });
    await page.getByText(t('executions:waits.signalNamed', { name: 'go' })).waitFor();
    // What led there can be looked at, too, though no checkpoint tells of it.
    await page.getByRole('button', { name: /^start/ }).click();
    await page.getByRole('tabpanel').getByText('Ana').first().waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: t('executions:waits.send') }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(t('executions:waits.payload')).fill('no JSON');
    await dialog.getByRole('button', { name: t('executions:waits.send') }).click();
    await dialog.getByText(t.like('executions:rerun.notJson')).waitFor();
    assert.deepEqual(await violations(page), []);
    await dialog.getByLabel(t('executions:waits.payload')).fill('{"by": "Ana"}');
    await dialog.getByRole('button', { name: t('executions:waits.send') }).click();
    await page.locator('main [data-status="success"]').first().waitFor();
    const execution = await service.finished(executionId);
    assert.deepEqual(execution.nodeExecutions.find((one) => one.nodeId === 'word').output, {
        output: { by: 'Ana' },
    });
    await finish(page);
});
