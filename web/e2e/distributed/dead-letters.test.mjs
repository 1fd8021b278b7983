// Dead letters that are there (tests/distributed/test_broker.py sends them): looked at, sent again, put away. In one
// process no message is lost, so there this page is always empty.
import assert from 'node:assert/strict';
import { browser, finish, open, service, settled, stage, violations } from '../support.mjs';
import { inBoth } from '../texts.mjs';

stage();

inBoth('a letter tells why and what was in it, is sent again or put away', async ({ t, look, language }) => {
    const number = language === 'en' ? 0 : 1;
    const page = await open(browser, service, { path: '/dead-letters', ...look });
    const row = (queue) => page.getByRole('row').filter({ hasText: `${queue}.${number}` });
    const show = (state) =>
        page
            .getByRole('group', { name: t('dead-letters:state') })
            .getByRole('button', { name: t(`dead-letters:states.${state}`), exact: true })
            .click();

    await row('flow.events')
        .getByRole('button', { name: t('dead-letters:look') })
        .click();
    await page.getByRole('dialog').getByText('nothing that is an event').first().waitFor();
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press('Escape');
    await row('flow.events')
        .getByRole('button', { name: t('dead-letters:discard') })
        .click();
    await page.getByText(t('dead-letters:discarded')).waitFor();
    await row('flow.events').waitFor({ state: 'detached' });
    await show('discarded');
    await row('flow.events').waitFor();

    await show('open');
    const letters = (await service.call('GET', '/dead-letters?status=open')).data;
    const lost = letters.find(({ id }) => id === `lost-${number}`);
    const given = page.getByRole('row').filter({ hasText: lost.executionId.slice(-8) });
    await given
        .getByText(language === 'en' ? lost.reason : 'Ha perdido su worker 3 veces seguidas')
        .waitFor();
    await given.getByRole('button', { name: t('dead-letters:goOn') }).click();
    await page.getByText(t('dead-letters:goesOn')).waitFor();
    await show('retried');
    await given.getByText(t('dead-letters:goesOnAs')).waitFor();
    await page.getByRole('button', { name: t('dead-letters:show') }).click();
    await page.locator('main [data-status="success"]').first().waitFor();
    await page.goBack();

    await show('open');
    await row('flow.submit')
        .getByRole('button', { name: t('dead-letters:retry') })
        .click();
    await page.getByText(t('dead-letters:retried')).waitFor();
    await show('retried');
    await row('flow.submit').waitFor();
    await settled(page);
    assert.deepEqual(await violations(page), []);
    await finish(page);
});
