// Variables and secrets: made, changed, used, found again, sealed anew, deleted; of all flows and of one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { finish, launch, link, node, open, Service, violations } from './support.mjs';

let service;
let browser;
let flow;

before(async () => {
    service = await new Service({ SECRETS_KEY: 'a key of at least thirty-two characters' }).start();
    browser = await launch();
    flow = await service.call('POST', '/flows', {
        name: 'Greets',
        nodes: [
            node('start', 'manual-trigger'),
            node('greet', 'template', { template: 'Hello {{ variables.city }}' }),
        ],
        connections: [link('start', 'greet')],
    });
});
after(async () => {
    await browser?.close();
    await service?.done();
});

test('a variable is made, used, found again, changed and deleted', async () => {
    const page = await open(browser, service, { path: '/variables' });
    await page.getByText('No variables yet').waitFor();
    await page.getByRole('button', { name: 'New variable' }).click();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').getByText('Give it a name').waitFor();
    await page.getByLabel('Name', { exact: true }).fill('not a name');
    await page.getByLabel('Value', { exact: true }).fill('Madrid');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('dialog').getByRole('alert').first().waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByLabel('Name', { exact: true }).fill('city');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('cell', { name: '"Madrid"' }).waitFor();
    assert.equal((await service.call('GET', '/variables/city')).value, 'Madrid');
    await page.getByRole('button', { name: 'Actions for city' }).click();
    await page.getByRole('menuitem', { name: 'Where it is used' }).click();
    await page.getByRole('dialog').getByRole('link', { name: 'Greets' }).waitFor();
    await page.getByRole('dialog').getByText('greet', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Actions for city' }).click();
    await page.getByRole('menuitem', { name: 'Give another value' }).click();
    await page.getByLabel('Value', { exact: true }).fill('{"name": "Sevilla"}');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('cell', { name: '{"name":"Sevilla"}' }).waitFor();
    await page.getByRole('button', { name: 'Actions for city' }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No variables yet').waitFor();
    await finish(page);
});

test('a secret of one flow is kept, never shown, and sealed anew (es, dark, narrow)', async () => {
    const page = await open(browser, service, {
        path: `/variables?kind=secrets&flowId=${flow.id}`,
        language: 'es',
        theme: 'dark',
        viewport: { width: 360, height: 740 },
    });
    await page.getByText('Todavía no hay secretos').waitFor();
    await page.getByRole('button', { name: 'Nuevo secreto' }).click();
    await page.getByLabel('Nombre', { exact: true }).fill('token');
    await page.getByLabel('Valor', { exact: true }).fill('short');
    await page.getByRole('button', { name: 'Guardar' }).click();
    await page.getByRole('dialog').getByRole('alert').first().waitFor();
    await page.getByLabel('Valor', { exact: true }).fill('correct horse battery');
    await page.getByRole('button', { name: 'Guardar' }).click();
    await page.getByRole('cell', { name: /sellado/ }).waitFor();
    assert.ok(!(await page.content()).includes('correct horse battery'));
    assert.deepEqual(
        (await service.call('GET', `/flows/${flow.id}/secrets`)).map(({ name, value }) => [name, value]),
        [['token', undefined]],
    );
    await page.getByRole('button', { name: 'Sellar todos de nuevo' }).click();
    await page.getByText('Se han sellado de nuevo 0 secretos.').waitFor();
    await page.getByRole('combobox', { name: 'Para' }).click();
    await page.getByRole('option', { name: 'Todos los flujos' }).click();
    await page.getByText('Todavía no hay secretos').waitFor();
    assert.ok(!page.url().includes('flowId'));
    await finish(page);
});

test('without a key, secrets are refused with what to do', async () => {
    const own = await new Service().start();
    try {
        const page = await open(browser, own, { path: '/variables?kind=secrets' });
        await page.getByRole('button', { name: 'New secret' }).click();
        await page.getByLabel('Name', { exact: true }).fill('token');
        await page.getByLabel('Value', { exact: true }).fill('correct horse battery');
        await page.getByRole('button', { name: 'Save' }).click();
        await page
            .getByRole('dialog')
            .getByText(/SECRETS_KEY/)
            .waitFor();
        await finish(page);
    } finally {
        await own.done();
    }
});
