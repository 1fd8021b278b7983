// A worker is let go from the page (tests/distributed/test_distributed.py starts one for each language): it takes
// nothing more, ends what it has, and is gone; the others go on.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after } from 'node:test';
import { browser, finish, link, node, open, service, stage, violations } from '../support.mjs';
import { inBoth } from '../texts.mjs';

let target;
/** The requests that are held; null once they are answered as they come. */
let held;

stage({}, async () => {
    target = createServer((_request, response) => {
        if (held === null) response.end('"answer"');
        else held.push(response);
    }).listen(0);
    await once(target, 'listening');
});
after(() => {
    target?.close();
});

inBoth(
    'a worker that is drained ends what it has and is gone; others take what comes',
    async ({ t, look, language }) => {
        const worker = language === 'en' ? 'worker7' : 'worker8';
        held = [];
        const flow = await service.call('POST', '/flows', {
            name: `Calls of a worker that is drained (${language})`,
            nodes: [
                node('start', 'manual-trigger'),
                node('ask', 'http-request', { url: `http://127.0.0.1:${target.address().port}/` }),
            ],
            connections: [{ ...link('start', 'ask'), toInput: 'body' }],
        });
        const run = async () => (await service.call('POST', `/flows/${flow.id}/run`, {})).executionId;
        const workerOf = async (id) =>
            (await service.call('GET', `/scheduler/executions/${id}`)).workerId ?? (await workerOf(id));
        const ids = [await run()];
        while ((await workerOf(ids.at(-1))) !== worker) ids.push(await run());

        const page = await open(browser, service, { path: '/workers', ...look });
        const row = page.getByRole('row').filter({ hasText: worker });
        const drain = page.getByRole('button', { name: t('workers:drainOf', { id: worker }) });
        await row.locator('[data-status="online"]').waitFor();
        await drain.click();
        await page
            .getByRole('alertdialog')
            .getByRole('button', { name: t('workers:drain') })
            .click();
        await page.getByText(t('workers:drained', { id: worker })).waitFor();
        await row.locator('[data-status="draining"]').waitFor();
        assert.equal(await drain.count(), 0, 'once is enough');
        assert.deepEqual(await violations(page), []);
        for (let n = 0; n < 6; n++) {
            ids.push(await run());
            assert.notEqual(await workerOf(ids.at(-1)), worker);
        }
        for (const response of held) response.end('"answer"');
        held = null;
        for (const id of ids) assert.equal((await service.finished(id)).status, 'success');
        await row.waitFor({ state: 'detached' });
        await finish(page);
    },
);
