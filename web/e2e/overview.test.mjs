// The overview: how to begin, live figures and charts, what is wrong now, what failed last.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { finish, launch, link, node, open, Service } from './support.mjs';

let service;
let browser;

before(async () => {
    service = await new Service().start();
    browser = await launch();
});
after(async () => {
    await browser?.close();
    await service?.done();
});

test('before the first flow it teaches', async () => {
    const page = await open(browser, service);
    await page.getByRole('heading', { name: 'Draw your first flow' }).waitFor();
    await page.getByText('All is well').waitFor();
    await page.getByRole('link', { name: 'Draw a flow' }).click();
    await page.waitForURL(/\/flows\/new$/);
    await finish(page, { axe: false });
});

for (const [language, theme, viewport, words] of [
    ['en', 'light', undefined, ['Executions ended', 'Throughput', 'As a table', 'Last failures']],
    [
        'es',
        'dark',
        { width: 360, height: 740 },
        ['Ejecuciones terminadas', 'Rendimiento', 'Como tabla', 'Últimos fallos'],
    ],
])
    test(`figures, charts and failures follow what happens (${language}, ${theme})`, async () => {
        const flow = await service.call('POST', '/flows', {
            name: `Check stock ${language}`,
            nodes: [
                node('start', 'manual-trigger'),
                node('stop', 'stop-with-error', { message: 'No stock left' }),
            ],
            connections: [link('start', 'stop')],
        });
        const page = await open(browser, service, { language, theme, viewport });
        const [ended, throughput, table, failures] = words;
        await page.getByText(ended).waitFor();
        await service.call('POST', `/flows/${flow.id}/run`, {});
        // Told over the WebSocket, then in the next step of the charts.
        await page.getByRole('region', { name: failures }).getByText(flow.name).first().waitFor();
        await page
            .locator('dt', { hasText: ended })
            .locator('+ dd')
            .filter({ hasText: /^[1-9]/ })
            .waitFor();
        const chart = page.getByRole('region', { name: throughput });
        await chart.locator('canvas').waitFor({ state: 'attached' });
        await chart.getByText(table).click();
        await chart
            .getByRole('cell', { name: /\b0[.,]\d+\/s$/ })
            .first()
            .waitFor();
        await page.getByText(/in the last five minutes failed|en los últimos cinco minutos/).waitFor();
        assert.ok(
            (await page.evaluate(() => document.documentElement.scrollWidth)) <= page.viewportSize().width,
        );
        await finish(page);
    });
