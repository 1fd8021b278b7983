// Variables and secrets: made, changed, used, found again, sealed anew, deleted; of all flows and of one.
import assert from 'node:assert/strict';
import { browser, finish, link, node, open, Service, service, stage, violations } from './support.mjs';
import { inBoth } from './texts.mjs';

let flow;

stage({ SECRETS_KEY: 'a key of at least thirty-two characters' }, async () => {
    flow = await service.call('POST', '/flows', {
        name: 'Greets',
        nodes: [
            node('start', 'manual-trigger'),
            node('greet', 'template', { template: 'Hello {{ variables.city }}' }),
        ],
        connections: [link('start', 'greet')],
    });
});

inBoth('a variable is made, used, found again, changed and deleted', async ({ t, look }) => {
    const page = await open(browser, service, { path: '/variables', ...look });
    await page.getByText(t('variables:variables.none')).waitFor();
    await page.getByRole('button', { name: t('variables:variables.new') }).click();
    await page.getByRole('button', { name: t('actions.save') }).click();
    await page.getByRole('alert').getByText(t('variables:nameNeeded')).waitFor();
    await page.getByLabel(t('variables:name'), { exact: true }).fill('not a name');
    await page.getByLabel(t('variables:value'), { exact: true }).fill('Madrid');
    await page.getByRole('button', { name: t('actions.save') }).click();
    await page.getByRole('dialog').getByRole('alert').first().waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByLabel(t('variables:name'), { exact: true }).fill('city');
    await page.getByRole('button', { name: t('actions.save') }).click();
    await page.getByRole('cell', { name: '"Madrid"' }).waitFor();
    assert.equal((await service.call('GET', '/variables/city')).value, 'Madrid');
    await page.getByRole('button', { name: t('variables:actionsOf', { name: 'city' }) }).click();
    await page.getByRole('menuitem', { name: t('variables:used') }).click();
    await page.getByRole('dialog').getByRole('link', { name: 'Greets' }).waitFor();
    await page.getByRole('dialog').getByText('greet', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: t('variables:actionsOf', { name: 'city' }) }).click();
    await page.getByRole('menuitem', { name: t('variables:otherValue') }).click();
    await page.getByLabel(t('variables:value'), { exact: true }).fill('{"name": "Sevilla"}');
    await page.getByRole('button', { name: t('actions.save') }).click();
    await page.getByRole('cell', { name: '{"name":"Sevilla"}' }).waitFor();
    await page.getByRole('button', { name: t('variables:actionsOf', { name: 'city' }) }).click();
    await page.getByRole('menuitem', { name: t('actions.delete') }).click();
    await page
        .getByRole('alertdialog')
        .getByRole('button', { name: t('actions.delete') })
        .click();
    await page.getByText(t('variables:variables.none')).waitFor();
    await finish(page);
});

inBoth(
    'a secret of one flow is kept, never shown, and sealed anew, narrow',
    async ({ t, look, language }) => {
        const own = await service.call('POST', '/flows', {
            name: `Greets in ${language}`,
            nodes: flow.nodes,
            connections: flow.connections,
        });
        const page = await open(browser, service, {
            path: `/variables?kind=secrets&flowId=${own.id}`,
            viewport: { width: 360, height: 740 },
            ...look,
        });
        await page.getByText(t('variables:secrets.none')).waitFor();
        await page.getByRole('button', { name: t('variables:secrets.new') }).click();
        await page.getByLabel(t('variables:name'), { exact: true }).fill('token');
        await page.getByLabel(t('variables:value'), { exact: true }).fill('short');
        await page.getByRole('button', { name: t('actions.save') }).click();
        await page.getByRole('dialog').getByRole('alert').first().waitFor();
        await page.getByLabel(t('variables:value'), { exact: true }).fill('correct horse battery');
        await page.getByRole('button', { name: t('actions.save') }).click();
        await page.getByRole('cell', { name: t('variables:secrets.sealed') }).waitFor();
        assert.ok(!(await page.content()).includes('correct horse battery'));
        assert.deepEqual(
            (await service.call('GET', `/flows/${own.id}/secrets`)).map(({ name, value }) => [name, value]),
            [['token', undefined]],
        );
        await page.getByRole('button', { name: t('variables:secrets.rotate') }).click();
        await page.getByText(t('variables:secrets.rotated', { count: 0 })).waitFor();
        await page.getByRole('combobox', { name: t('variables:scope') }).click();
        await page.getByRole('option', { name: t('variables:everywhere') }).click();
        await page.getByText(t('variables:secrets.none')).waitFor();
        assert.ok(!page.url().includes('flowId'));
        await finish(page);
    },
);

inBoth('without a key, secrets are refused with what to do', async ({ t, look }) => {
    const own = await new Service().start();
    try {
        const page = await open(browser, own, { path: '/variables?kind=secrets', ...look });
        await page.getByRole('button', { name: t('variables:secrets.new') }).click();
        await page.getByLabel(t('variables:name'), { exact: true }).fill('token');
        await page.getByLabel(t('variables:value'), { exact: true }).fill('correct horse battery');
        await page.getByRole('button', { name: t('actions.save') }).click();
        await page
            .getByRole('dialog')
            .getByText(/SECRETS_KEY/)
            .waitFor();
        await finish(page);
    } finally {
        await own.done();
    }
});
