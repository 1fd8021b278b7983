// The pages of building and operating: schedules, webhooks, workers, dead letters, access, settings.
import assert from 'node:assert/strict';
import { beside, browser, finish, node, open, service, stage, violations } from './support.mjs';
import { inBoth } from './texts.mjs';

let guarded;
let flow;

stage({}, async () => {
    guarded = await beside({
        JWT_SECRET: 'a secret of more than thirty-two bytes',
        ADMIN_PASSWORD: 'correct horse',
    });
    flow = await service.call('POST', '/flows', {
        name: 'Nightly report',
        nodes: [node('hook', 'webhook-trigger', { path: 'reports/night', responseMode: 'lastNode' })],
        connections: [],
    });
    await service.call('PUT', `/flows/${flow.id}`, { status: 'active' });
});

inBoth(
    'a schedule is made in plain words, shows its instants, is switched off, changed and deleted',
    async ({ t, look }) => {
        const page = await open(browser, service, { path: '/schedules', ...look });
        await page
            .getByRole('button', { name: t('schedules:new') })
            .first()
            .click();
        await page.getByRole('button', { name: t('actions.save') }).click();
        // Both at once, and each until it is mended.
        const [name, flow] = ['nameNeeded', 'flowNeeded'].map((text) =>
            page.getByRole('alert').getByText(t(`schedules:${text}`)),
        );
        await name.waitFor();
        await flow.waitFor();
        await page.getByLabel(t('schedules:name'), { exact: true }).fill('Every night');
        await name.waitFor({ state: 'detached' });
        await flow.waitFor();
        await page.getByRole('combobox', { name: t('schedules:flow') }).click();
        await page.getByRole('option', { name: 'Nightly report' }).click();
        await page.getByRole('combobox', { name: t('schedules:when.hour_of'), exact: true }).click();
        await page.getByRole('option', { name: '23' }).click();
        assert.equal(await page.getByLabel(t('schedules:cron')).inputValue(), '0 23 * * *');
        await page.getByRole('dialog').locator('time').nth(4).waitFor();
        assert.deepEqual(await violations(page), []);
        await page.getByRole('button', { name: t('actions.save') }).click();
        await page.getByText(t('schedules:saved', { name: 'Every night' })).waitFor();
        await page.getByRole('cell', { name: 'Every night', exact: true }).waitFor();
        await page.getByRole('switch', { name: t('schedules:switch', { name: 'Every night' }) }).click();
        await page.locator('[role="switch"][aria-checked="false"]').waitFor();
        await page.getByRole('button', { name: t('schedules:actionsOf', { name: 'Every night' }) }).click();
        await page.getByRole('menuitem', { name: t('actions.edit') }).click();
        await page.getByRole('combobox', { name: t('schedules:overlap') }).click();
        await page.getByRole('option', { name: t('schedules:overlaps.skip.name') }).click();
        await page.getByLabel(t('schedules:catchUpWindow')).fill('-5');
        await page.getByRole('button', { name: t('actions.save') }).click();
        await page.getByRole('dialog').getByRole('alert').first().waitFor(); // not in the future
        await page.getByLabel(t('schedules:catchUpWindow')).fill('90');
        await page.getByRole('button', { name: t('actions.save') }).click();
        await page.getByRole('dialog', { name: t('schedules:change') }).waitFor({ state: 'detached' });
        const [schedule] = (await service.call('GET', '/scheduler/schedules')).data;
        assert.deepEqual([schedule.overlap, schedule.enabled, schedule.catchUpWindow], ['skip', false, 5400]);
        await page.getByRole('button', { name: t('schedules:actionsOf', { name: 'Every night' }) }).click();
        await page.getByRole('menuitem', { name: t('actions.edit') }).click();
        assert.equal(await page.getByLabel(t('schedules:catchUpWindow')).inputValue(), '90');
        await page.getByRole('combobox', { name: t('schedules:catchUp') }).click();
        await page.getByRole('option', { name: t('schedules:catchUps.none.name') }).click();
        await page.getByLabel(t('schedules:catchUpWindow')).waitFor({ state: 'detached' });
        await page.keyboard.press('Escape');
        await page.getByRole('button', { name: t('schedules:actionsOf', { name: 'Every night' }) }).click();
        await page.getByRole('menuitem', { name: t('schedules:instants') }).click();
        await page.getByText(t('schedules:past.none')).waitFor();
        await page.getByRole('tab', { name: t('schedules:next') }).click();
        await page.getByRole('tabpanel').locator('time').nth(9).waitFor();
        assert.deepEqual(await violations(page), []);
        await page.getByRole('tab', { name: t('schedules:fill.title') }).click();
        const start = new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 16);
        await page.getByLabel(t('schedules:fill.from'), { exact: true }).fill(start);
        await page.getByRole('button', { name: t('schedules:fill.start') }).click();
        const filled = t('schedules:fill.done', { done: '[1-4]', total: '[2-4]' });
        await page.getByRole('cell', { name: new RegExp(`^${filled}$`) }).waitFor();
        await page.getByRole('cell', { name: t('schedules:fill.states.done'), exact: true }).waitFor();
        await page.getByRole('tab', { name: t('schedules:past.title') }).click();
        await page
            .getByRole('cell', { name: t('schedules:past.outcomes.fired') })
            .first()
            .waitFor();
        assert.deepEqual(await violations(page), []);
        await page.keyboard.press('Escape');
        await page.getByRole('button', { name: t('schedules:actionsOf', { name: 'Every night' }) }).click();
        await page.getByRole('menuitem', { name: t('actions.delete') }).click();
        await page
            .getByRole('alertdialog')
            .getByRole('button', { name: t('actions.delete') })
            .click();
        await page.getByText(t('schedules:empty.title')).waitFor();
        await finish(page);
    },
);

inBoth('a bad expression is told with what would be right', async ({ t, look }) => {
    const page = await open(browser, service, { path: '/schedules', ...look });
    await page
        .getByRole('button', { name: t('schedules:new') })
        .first()
        .click();
    await page.getByRole('combobox', { name: t('schedules:when.label'), exact: true }).click();
    await page.getByRole('option', { name: t('schedules:when.custom') }).click();
    await page.getByLabel(t('schedules:cron')).fill('61 * * * *');
    await page.getByRole('dialog').getByRole('alert').waitFor();
    await finish(page);
});

inBoth('a webhook is listed and tried', async ({ t, look }) => {
    const page = await open(browser, service, { path: '/hooks', ...look });
    await page.getByRole('button', { name: t('webhooks:tryOf', { path: 'reports/night' }) }).click();
    await page.getByLabel(t('webhooks:body')).fill('{"day":1}');
    await page.getByRole('button', { name: t('webhooks:send') }).click();
    await page.getByText(t.like('webhooks:answered', { status: 200 })).waitFor();
    await finish(page);
});

for (const [path, text] of [
    ['/workers', 'workers:sharing'],
    ['/dead-letters', 'dead-letters:empty.title'],
    ['/settings', 'settings:service'],
    ['/access', 'access:open'],
    ['/hooks', 'webhooks:result'],
])
    inBoth(`${path} says what it is for, narrow too`, async ({ t, look }) => {
        const page = await open(browser, service, { path, ...look });
        await page.getByText(t(text)).first().waitFor();
        await page.setViewportSize({ width: 360, height: 740 });
        await finish(page);
    });

inBoth('the strategy is changed while running', async ({ t, look }) => {
    await service.call('PUT', '/settings', { loadBalanceStrategy: 'round_robin' });
    const page = await open(browser, service, { path: '/workers', ...look });
    await page.getByRole('combobox', { name: t('workers:strategy') }).click();
    await page.getByRole('option', { name: t('workers:strategies.least_busy.name') }).click();
    await page.getByText(t('workers:changed')).waitFor();
    assert.equal((await service.call('GET', '/settings')).loadBalanceStrategy, 'least_busy');
    await finish(page);
});

inBoth(
    'a worker shows what it uses; the only process cannot be drained, and says so',
    async ({ t, look, language }) => {
        const page = await open(browser, service, { path: '/workers', ...look });
        await page.getByRole('cell', { name: /MiB$/ }).waitFor();
        await page.getByRole('button', { name: t.like('workers:drainOf') }).click();
        await page
            .getByRole('alertdialog')
            .getByRole('button', { name: t('workers:drain') })
            .click();
        await page
            .getByText(language === 'es' ? 'es parte del único proceso' : 'is part of the only process')
            .first()
            .waitFor();
        await finish(page);
    },
);

inBoth('users and API keys are made, and what was done is in the log', async ({ t, look, language }) => {
    const name = `ana-${language}`;
    const page = await open(browser, guarded, { path: '/access', ...look });
    await page.getByLabel(t('login.username')).fill('admin');
    await page.getByLabel(t('login.password')).fill('correct horse');
    await page.getByRole('button', { name: t('login.submit') }).click();
    await page.getByRole('button', { name: t('access:newUser') }).click();
    await page.getByRole('dialog').getByLabel(t('access:username')).fill(name);
    await page.getByRole('dialog').getByLabel(t('access:password')).fill('short');
    await page.getByRole('button', { name: t('actions.create') }).click();
    await page.getByRole('dialog').getByRole('alert').first().waitFor();
    await page.getByRole('dialog').getByLabel(t('access:password')).fill('long enough now');
    await page.getByRole('button', { name: t('actions.create') }).click();
    await page.getByRole('cell', { name, exact: true }).waitFor();
    await page.getByRole('dialog', { name: t('access:newUser') }).waitFor({ state: 'detached' });
    assert.deepEqual(await violations(page), []);
    await page.getByRole('tab', { name: t('access:keys') }).click();
    await page.getByRole('button', { name: t('access:newKey') }).click();
    await page.getByRole('dialog').getByLabel(t('access:name')).fill(`deploy-${language}`);
    await page.getByRole('button', { name: t('actions.create') }).click();
    await page
        .getByRole('dialog', { name: t('access:keyMade') })
        .getByText(/^cdl_/)
        .waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('cell', { name: `deploy-${language}`, exact: true }).waitFor();
    await page.getByRole('tab', { name: t('access:audit') }).click();
    await page.getByRole('cell', { name: 'admin', exact: true }).first().waitFor();
    await finish(page);
});
