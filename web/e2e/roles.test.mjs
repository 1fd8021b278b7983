// What a person sees and may do by role: who may only look is shown everything there is to see, and nothing to press.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { finish, launch, link, node, open, Service, violations } from './support.mjs';

let service;
let browser;
let flow;
let token;
let waiting;

before(async () => {
    service = await new Service({
        JWT_SECRET: 'a secret of more than thirty-two bytes',
        ADMIN_PASSWORD: 'correct horse',
    }).start();
    browser = await launch();
    ({ accessToken: token } = await service.call('POST', '/auth/login', {
        username: 'admin',
        password: 'correct horse',
    }));
    const asAdmin = (method, path, body) => service.call(method, path, body, token);
    for (const [username, role] of [
        ['vera', 'viewer'],
        ['oscar', 'operator'],
    ])
        await asAdmin('POST', '/users', { username, role, password: 'a long password' });
    flow = await asAdmin('POST', '/flows', {
        name: 'Sign off',
        nodes: [
            node('start', 'manual-trigger'),
            {
                ...node('ask', 'wait', { mode: 'approval', title: 'Pay the invoice?' }),
                position: { x: 300, y: 0 },
            },
        ],
        connections: [{ ...link('start', 'ask'), toInput: 'data' }],
    });
    await asAdmin('POST', '/scheduler/schedules', {
        flowId: flow.id,
        name: 'Every night',
        cronExpression: '0 2 * * *',
    });
    waiting = (await asAdmin('POST', `/flows/${flow.id}/run`, {})).executionId;
    while ((await asAdmin('GET', `/scheduler/executions/${waiting}`)).waits.length === 0)
        await new Promise((resolve) => setTimeout(resolve, 30));
});
after(async () => {
    await browser?.close();
    await service?.done();
});

const entered = async (username, options) => {
    const page = await open(browser, service, options);
    const spanish = options.language === 'es';
    await page.getByLabel(spanish ? 'Nombre de usuario' : 'User name').fill(username);
    await page.getByLabel(spanish ? 'Contraseña' : 'Password').fill('a long password');
    await page.getByRole('button', { name: spanish ? 'Iniciar sesión' : 'Log in' }).click();
    return page;
};
const to = async (page, path, shown) => {
    await page.goto(service.url + path);
    await shown.waitFor();
    assert.deepEqual(await violations(page), [], path);
};
/** Names of the buttons in the page's part, those of the frame left out. */
const buttons = (page) =>
    page
        .locator('main button:not([role="tab"])')
        .evaluateAll((all) => all.map((one) => one.getAttribute('aria-label') ?? one.textContent));

for (const [language, theme] of [
    ['en', 'light'],
    ['es', 'dark'],
])
    test(`who may only look changes nothing (${language}, ${theme})`, async () => {
        const texts =
            language === 'en'
                ? {
                      changes:
                          /^(New|Run|Save|Publish|Import|Activate|Cancel|Pause|Retry|Delete|Answer|Drain)/,
                      look: 'View only',
                      operator: 'An operator can answer.',
                      export: 'Export',
                      actions: /^Actions for/,
                      field: 'Mode',
                      pages: ['/flows', '/schedules', '/variables', '/workers', '/settings', '/hooks'],
                  }
                : {
                      changes:
                          /^(Nuev|Ejecutar|Guardar|Publicar|Importar|Activar|Cancelar|Pausar|Reintentar|Borrar|Eliminar|Responder)/,
                      look: 'Solo lectura',
                      operator: 'Puede responder un operador.',
                      export: 'Exportar',
                      actions: /^Acciones para/,
                      field: 'Modo',
                      pages: ['/flows', '/schedules', '/variables'],
                  };
        const page = await entered('vera', { path: '/flows', language, theme });
        await page.getByRole('link', { name: 'Sign off' }).waitFor();
        for (const path of texts.pages) {
            await to(page, path, page.locator('#main h1'));
            await page.waitForLoadState('networkidle');
            const pressed = (await buttons(page)).filter((name) => texts.changes.test(name));
            assert.deepEqual(pressed, [], path);
        }
        await to(page, '/flows', page.getByRole('link', { name: 'Sign off' }));
        await page.getByRole('button', { name: texts.actions }).click();
        await page.getByRole('menuitem').first().waitFor();
        assert.deepEqual(await page.getByRole('menuitem').allTextContents(), [texts.export]);
        await page.keyboard.press('Escape');

        await to(page, `/flows/${flow.id}`, page.locator('.react-flow__node[data-id="ask"]'));
        await page.getByText(texts.look).waitFor();
        assert.deepEqual(
            (await buttons(page)).filter((name) => texts.changes.test(name)),
            [],
        );
        await page.locator('.react-flow__node[data-id="ask"]').click();
        await page.getByRole('combobox', { name: texts.field }).waitFor();
        assert.ok(await page.getByRole('combobox', { name: texts.field }).isDisabled(), 'settings are shown');
        await page.keyboard.press('Delete');
        await page.keyboard.press('n');
        assert.equal(await page.locator('.react-flow__node').count(), 2, 'keys change nothing');

        await to(page, `/executions/${waiting}`, page.getByText('Pay the invoice?'));
        await page.getByText(texts.operator).waitFor();
        assert.ok(!(await page.content()).includes('/wait/'), 'the link is not for everybody');
        assert.deepEqual(
            (await buttons(page)).filter((name) => texts.changes.test(name)),
            [],
        );
        await finish(page);
    });

test('who operates runs flows and answers what waits, and changes no flow', async () => {
    const page = await entered('oscar', { path: `/flows/${flow.id}` });
    await page.locator('.react-flow__node[data-id="ask"]').waitFor();
    await page.getByText('View only').waitFor();
    await page.getByRole('button', { name: 'Run', exact: true }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Save' }).count(), 0);
    await to(page, `/executions/${waiting}`, page.getByText('Pay the invoice?'));
    const answer = page.getByRole('link', { name: 'Answer' });
    const opening = page.context().waitForEvent('page');
    await answer.click();
    const form = await opening;
    await form.getByRole('button', { name: 'Approve' }).click();
    await form.waitForLoadState();
    await form.close();
    await page.locator('main [data-status="success"]').first().waitFor();
    await page.getByText('Pay the invoice?').waitFor({ state: 'detached' });
    assert.equal(
        (await service.call('GET', `/scheduler/executions/${waiting}`, undefined, token)).status,
        'success',
    );
    await finish(page);
});
