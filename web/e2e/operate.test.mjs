// The pages of building and operating: schedules, webhooks, workers, dead letters, access, settings.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { finish, launch, node, open, Service, violations } from './support.mjs';

let service;
let guarded;
let browser;
let flow;

before(async () => {
    service = await new Service().start();
    guarded = await new Service({
        JWT_SECRET: 'a secret of more than thirty-two bytes',
        ADMIN_PASSWORD: 'correct horse',
    }).start();
    browser = await launch();
    flow = await service.call('POST', '/flows', {
        name: 'Nightly report',
        nodes: [node('hook', 'webhook-trigger', { path: 'reports/night', responseMode: 'lastNode' })],
        connections: [],
    });
    await service.call('PUT', `/flows/${flow.id}`, { status: 'active' });
});
after(async () => {
    await browser?.close();
    await service?.done();
    await guarded?.done();
});

test('a schedule is made in plain words, shows its instants, is switched off, changed and deleted', async () => {
    const page = await open(browser, service, { path: '/schedules' });
    await page.getByRole('button', { name: 'New schedule' }).first().click();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').first().waitFor(); // it has no name and no flow
    await page.getByLabel('Name', { exact: true }).fill('Every night');
    await page.getByRole('combobox', { name: 'Flow' }).click();
    await page.getByRole('option', { name: 'Nightly report' }).click();
    await page.getByRole('combobox', { name: 'Hour' }).click();
    await page.getByRole('option', { name: '23' }).click();
    assert.equal(await page.getByLabel('Cron expression').inputValue(), '0 23 * * *');
    await page.getByRole('dialog').locator('time').nth(4).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Every night is saved.').waitFor();
    await page.getByRole('cell', { name: 'Every night', exact: true }).waitFor();
    await page.getByRole('switch', { name: 'Every night is on' }).click();
    await page.locator('[role="switch"][aria-checked="false"]').waitFor();
    await page.getByRole('button', { name: 'Actions for Every night' }).click();
    await page.getByRole('menuitem', { name: 'Edit' }).click();
    await page.getByRole('combobox', { name: 'When the one before still runs' }).click();
    await page.getByRole('option', { name: 'Leave this one out' }).click();
    await page.getByLabel('How far back, in minutes').fill('-5');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('dialog').getByRole('alert').first().waitFor(); // not in the future
    await page.getByLabel('How far back, in minutes').fill('90');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('dialog', { name: 'Change the schedule' }).waitFor({ state: 'detached' });
    const [schedule] = (await service.call('GET', '/scheduler/schedules')).data;
    assert.deepEqual([schedule.overlap, schedule.enabled, schedule.catchUpWindow], ['skip', false, 5400]);
    await page.getByRole('button', { name: 'Actions for Every night' }).click();
    await page.getByRole('menuitem', { name: 'Edit' }).click();
    assert.equal(await page.getByLabel('How far back, in minutes').inputValue(), '90');
    await page.getByRole('combobox', { name: 'Instants missed while nothing ran' }).click();
    await page.getByRole('option', { name: 'Leave them out' }).click();
    await page.getByLabel('How far back, in minutes').waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Actions for Every night' }).click();
    await page.getByRole('menuitem', { name: 'Its instants' }).click();
    await page.getByText('No instant has come yet').waitFor();
    await page.getByRole('tab', { name: 'The next instants' }).click();
    await page.getByRole('tabpanel').locator('time').nth(9).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('tab', { name: 'Fill a past period' }).click();
    const start = new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 16);
    await page.getByLabel('From', { exact: true }).fill(start);
    await page.getByRole('button', { name: 'Fill it' }).click();
    await page.getByRole('cell', { name: /^[1-4] of [2-4]$/ }).waitFor();
    await page.getByRole('cell', { name: 'done', exact: true }).waitFor();
    await page.getByRole('tab', { name: 'What became of them' }).click();
    await page.getByRole('cell', { name: 'fired' }).first().waitFor();
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Actions for Every night' }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('Let a flow start by itself').waitFor();
    await finish(page);
});

test('a bad expression is told with what would be right', async () => {
    const page = await open(browser, service, { path: '/schedules', language: 'es', theme: 'dark' });
    await page.getByRole('button', { name: 'Nueva programación' }).first().click();
    await page.getByRole('combobox', { name: 'Cuándo' }).click();
    await page.getByRole('option', { name: 'Con una expresión cron' }).click();
    await page.getByLabel('Expresión cron').fill('61 * * * *');
    await page.getByRole('dialog').getByRole('alert').waitFor();
    await finish(page);
});

test('a webhook is listed and tried', async () => {
    const page = await open(browser, service, { path: '/hooks' });
    await page.getByRole('button', { name: 'Try reports/night' }).click();
    await page.getByLabel('Body (JSON)').fill('{"day":1}');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText(/Answered 200 after/).waitFor();
    await finish(page);
});

for (const [path, language, theme, text] of [
    ['/workers', 'en', 'dark', 'How work is shared'],
    ['/workers', 'es', 'light', 'Cómo se reparte el trabajo'],
    ['/dead-letters', 'en', 'light', 'No dead letters'],
    ['/dead-letters', 'es', 'dark', 'No hay mensajes muertos'],
    ['/settings', 'en', 'light', 'This service'],
    ['/settings', 'es', 'dark', 'Este servicio'],
    ['/access', 'en', 'dark', 'Nobody needs to log in'],
    ['/hooks', 'es', 'dark', 'con el resultado del flujo'],
])
    test(`${path} (${language}, ${theme})`, async () => {
        const page = await open(browser, service, {
            path,
            language,
            theme,
            viewport: theme === 'dark' ? { width: 360, height: 740 } : undefined,
        });
        await page.getByText(text).first().waitFor();
        await finish(page);
    });

test('the strategy is changed while running', async () => {
    const page = await open(browser, service, { path: '/workers' });
    await page.getByRole('combobox', { name: 'Strategy' }).click();
    await page.getByRole('option', { name: 'Least busy' }).click();
    await page.getByText('It holds from the next execution on.').waitFor();
    assert.equal((await service.call('GET', '/settings')).loadBalanceStrategy, 'least_busy');
    await finish(page);
});

test('a worker shows what it uses; the only process cannot be drained, and says so', async () => {
    const page = await open(browser, service, { path: '/workers' });
    await page.getByRole('cell', { name: /MiB$/ }).waitFor();
    await page.getByRole('button', { name: /^Drain / }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Drain' }).click();
    await page.getByText('part of the only process').first().waitFor();
    await finish(page);
});

test('users and API keys are made, and what was done is in the log', async () => {
    const page = await open(browser, guarded, { path: '/access' });
    await page.getByLabel('User name').fill('admin');
    await page.getByLabel('Password').fill('correct horse');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('button', { name: 'New user' }).click();
    await page.getByRole('dialog').getByLabel('User name').fill('ana');
    await page.getByRole('dialog').getByLabel('Password').fill('short');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('dialog').getByRole('alert').first().waitFor();
    await page.getByRole('dialog').getByLabel('Password').fill('long enough now');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('cell', { name: 'ana', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).waitFor(); // the message, which is a dialog as well
    await page.getByRole('dialog', { name: 'New user' }).waitFor({ state: 'detached' });
    assert.deepEqual(await violations(page), []);
    await page.getByRole('tab', { name: 'API keys' }).click();
    await page.getByRole('button', { name: 'New API key' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('deploy');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText(/^cdl_/).first().waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('cell', { name: 'deploy', exact: true }).waitFor();
    await page.getByRole('tab', { name: 'Audit log' }).click();
    await page.getByRole('cell', { name: 'admin', exact: true }).first().waitFor();
    await finish(page);
});
