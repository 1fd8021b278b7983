// What a person sees and may do by role: who may only look is shown everything there is to see, and nothing to press.
import assert from 'node:assert/strict';
import { browser, finish, link, node, open, service, settled, stage, violations } from './support.mjs';
import { inBoth } from './texts.mjs';

let flow;
let token;
let asAdmin;

stage(
    {
        JWT_SECRET: 'a secret of more than thirty-two bytes',
        ADMIN_PASSWORD: 'correct horse',
    },
    async () => {
        ({ accessToken: token } = await service.call('POST', '/auth/login', {
            username: 'admin',
            password: 'correct horse',
        }));
        asAdmin = (method, path, body) => service.call(method, path, body, token);
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
    },
);

const entered = async (username, t, options) => {
    const page = await open(browser, service, options);
    await page.getByLabel(t('login.username')).fill(username);
    await page.getByLabel(t('login.password')).fill('a long password');
    await page.getByRole('button', { name: t('login.submit') }).click();
    return page;
};
const to = async (page, path, shown) => {
    await page.goto(service.url + path);
    await shown.waitFor();
    await settled(page);
    assert.deepEqual(await violations(page), [], path); // it says more than to who may do everything
};
/** An execution that waits for an answer. */
const started = async () => {
    const { executionId } = await asAdmin('POST', `/flows/${flow.id}/run`, {});
    while ((await asAdmin('GET', `/scheduler/executions/${executionId}`)).waits.length === 0)
        await new Promise((resolve) => setTimeout(resolve, 30));
    return executionId;
};
/** Names of the buttons in the page's part, those of the frame left out. */
const buttons = (page) =>
    page
        .locator('main button:not([role="tab"])')
        .evaluateAll((all) => all.map((one) => one.getAttribute('aria-label') ?? one.textContent));

/** What a button that changes something begins with. */
const changing = (t) => {
    const verbs = new Set(
        [
            'flows:new',
            'schedules:new',
            'flows:run',
            'editor:save',
            'editor:publish.publish',
            'flows:import',
            'flows:activate',
            'flows:delete',
            'executions:cancel',
            'executions:pause',
            'executions:retryFailed',
            'executions:waits.answer',
            'workers:drain',
        ].map((key) => t(key).split(' ')[0]),
    );
    return (names) => names.filter((name) => verbs.has(name.split(/[\s…]/)[0]));
};

inBoth('who may only look changes nothing', async ({ t, look }) => {
    const changes = changing(t);
    const waiting = await started();
    const page = await entered('vera', t, { path: '/flows', ...look });
    await page.getByRole('link', { name: 'Sign off' }).waitFor();
    for (const path of ['/schedules', '/variables', '/workers', '/settings', '/hooks', '/flows']) {
        await page.goto(service.url + path);
        await settled(page);
        assert.deepEqual(changes(await buttons(page)), [], path);
    }
    await page.getByRole('link', { name: 'Sign off' }).waitFor();
    await page.getByRole('button', { name: t('flows:actionsOf', { name: 'Sign off' }) }).click();
    await page.getByRole('menuitem').first().waitFor();
    assert.deepEqual(await page.getByRole('menuitem').allTextContents(), [t('flows:export')]);
    await page.keyboard.press('Escape');

    await to(page, `/flows/${flow.id}`, page.locator('.react-flow__node[data-id="ask"]'));
    await page.getByText(t('editor:lookOnly')).waitFor();
    assert.deepEqual(changes(await buttons(page)), []);
    await page.locator('.react-flow__node[data-id="ask"]').click();
    await page.getByRole('combobox', { name: t.spoken('Mode') }).waitFor();
    assert.ok(
        await page.getByRole('combobox', { name: t.spoken('Mode') }).isDisabled(),
        'settings are shown',
    );
    await page.keyboard.press('Delete');
    await page.keyboard.press('n');
    assert.equal(await page.locator('.react-flow__node').count(), 2, 'keys change nothing');

    await to(page, `/executions/${waiting}`, page.getByText('Pay the invoice?'));
    await page.getByText(t('executions:waits.notYou')).waitFor();
    assert.ok(!(await page.content()).includes('/wait/'), 'the link is not for everybody');
    assert.deepEqual(changes(await buttons(page)), []);
    await finish(page, { axe: false });
});

inBoth(
    'who operates runs flows and answers what waits, and changes no flow',
    async ({ t, look, language }) => {
        const waiting = await started();
        const page = await entered('oscar', t, { path: `/flows/${flow.id}`, ...look });
        await page.locator('.react-flow__node[data-id="ask"]').waitFor();
        await page.getByText(t('editor:lookOnly')).waitFor();
        await page.getByRole('button', { name: t('editor:run'), exact: true }).waitFor();
        assert.equal(await page.getByRole('button', { name: t('editor:save') }).count(), 0);
        await to(page, `/executions/${waiting}`, page.getByText('Pay the invoice?'));
        const answer = page.getByRole('link', { name: t('executions:waits.answer') });
        const opening = page.context().waitForEvent('page');
        await answer.click();
        const form = await opening;
        // The service itself writes that page, in the browser's language.
        assert.deepEqual(await violations(form), []);
        await form.getByRole('button', { name: language === 'en' ? 'Approve' : 'Aprobar' }).click();
        await form.waitForLoadState();
        await form.close();
        await page.locator('main [data-status="success"]').first().waitFor();
        await page.getByText('Pay the invoice?').waitFor({ state: 'detached' });
        assert.equal(
            (await service.call('GET', `/scheduler/executions/${waiting}`, undefined, token)).status,
            'success',
        );
        await finish(page);
    },
);
