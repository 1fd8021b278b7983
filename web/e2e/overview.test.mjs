// The overview: how to begin, live figures and charts, what is wrong now, what failed last.
import assert from 'node:assert/strict';
import { browser, finish, link, node, open, service, stage } from './support.mjs';
import { inBoth } from './texts.mjs';

stage();

inBoth('before the first flow it teaches', async ({ t, look }) => {
    const page = await open(browser, service, look);
    await page.getByRole('heading', { name: t('overview:first.title') }).waitFor();
    await page.getByText(t('overview:well')).waitFor();
    await page.getByRole('link', { name: t('overview:first.draw') }).click();
    await page.waitForURL(/\/flows\/new$/);
    await finish(page, { axe: false });
});

inBoth('figures, charts and failures follow what happens', async ({ t, look, language }) => {
    const flow = await service.call('POST', '/flows', {
        name: `Check stock ${language}`,
        nodes: [
            node('start', 'manual-trigger'),
            node('stop', 'stop-with-error', { message: 'No stock left' }),
        ],
        connections: [link('start', 'stop')],
    });
    const viewport = look.theme === 'dark' ? { width: 360, height: 740 } : undefined;
    const page = await open(browser, service, { viewport, ...look });
    const ended = t('overview:ended');
    await page.getByText(ended).waitFor();
    await service.call('POST', `/flows/${flow.id}/run`, {});
    // Told over the WebSocket, then in the next step of the charts.
    await page
        .getByRole('region', { name: t('overview:failures') })
        .getByText(flow.name)
        .first()
        .waitFor();
    await page
        .locator('dt', { hasText: ended })
        .locator('+ dd')
        .filter({ hasText: /^[1-9]/ })
        .waitFor();
    const chart = page.getByRole('region', { name: t('overview:throughput') });
    await chart.locator('canvas').waitFor({ state: 'attached' });
    await chart.getByText(t('chart.table')).click();
    await chart
        .getByRole('cell', { name: /\b0[.,]\d+\/s$/ })
        .first()
        .waitFor();
    await page.getByText(t.like('overview:wrong.failures')).waitFor();
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= page.viewportSize().width);
    await finish(page);
});
