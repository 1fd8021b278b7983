// The editor: for-each containers, loops, notes, lining up, copying, both languages and themes.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Service, launch, open, violations } from './support.mjs';

const node = (id, type, x, y, config = {}, more = {}) => ({
    id,
    type,
    version: '1.0.0',
    config,
    position: { x, y },
    ...more,
});
const link = (from, fromOutput, to, toInput) => ({ fromNodeId: from, fromOutput, toNodeId: to, toInput });

/** Items go through a for-each and come back as a list; beside it a loop that ends by itself. */
const looped = {
    name: 'Each and again',
    nodes: [
        node('start', 'manual-trigger', 0, 80, { output: [1, 2, 3] }),
        node('each', 'for-each', 300, 0, {}, { size: { width: 560, height: 240 } }),
        node('double', 'template', 430, 70, { template: 'item ${this}' }, { parentId: 'each' }),
        node('report', 'log', 960, 40, { message: 'done' }),
        node('gather', 'merge', 300, 420, { maxIterations: 40 }),
        node('enough', 'limit', 620, 420, { count: 1 }),
    ],
    connections: [
        link('start', 'output', 'each', 'items'),
        link('each', 'item', 'double', 'data'),
        link('double', 'text', 'each', 'result'),
        link('each', 'results', 'report', 'data'),
        link('start', 'output', 'gather', 'input1'),
        link('gather', 'output', 'enough', 'data'),
        link('enough', 'items', 'gather', 'input2'),
    ],
    settings: {
        notes: [
            {
                text: '# Why\nEach **item** is told apart.\n- see `double`\n- https://example.org/why',
                position: { x: 300, y: -190 },
                size: { width: 280, height: 150 },
                color: 'blue',
            },
        ],
    },
};

/** Kept where CAUDAL_SHOTS says, to be looked at. */
const shot = async (page, name) => {
    const folder = process.env.CAUDAL_SHOTS;
    if (folder === undefined) return;
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: `${folder}/${name}.png` });
};

let service, browser;
before(async () => {
    service = await new Service().start();
    browser = await launch();
});
after(async () => {
    await browser?.close();
    await service?.done();
});

let count = 0;
const made = (definition = looped) =>
    service.call('POST', '/flows', { ...definition, name: `${definition.name} ${++count}` });
const drawn = async (flow, options = {}) => {
    const page = await open(browser, service, { path: `/flows/${flow.id}`, ...options });
    await page
        .locator('.react-flow__node')
        .nth(flow.nodes.length - 1)
        .waitFor();
    page.on('dialog', (dialog) => dialog.accept());
    return page;
};
const step = (page, id) => page.locator(`.react-flow__node[data-id="${id}"]`);
const saved = async (page, flow) => {
    const answered = page.waitForResponse(
        (response) => response.url().endsWith(flow.id) && response.request().method() === 'PUT',
    );
    await page.getByRole('button', { name: /^(Save|Guardar)$/ }).click();
    assert.equal((await answered).status(), 200);
    return service.call('GET', `/flows/${flow.id}`);
};
const drag = async (page, from, to) => {
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(from.x + 8, from.y + 8, { steps: 3 });
    await page.mouse.move(to.x, to.y, { steps: 8 });
    await page.mouse.up();
};

for (const [language, theme] of [
    ['en', 'light'],
    ['es', 'dark'],
])
    test(`containers, loops and notes are drawn as what they are (${language}, ${theme})`, async () => {
        const page = await drawn(await made(), { language, theme });
        await page
            .getByRole('button', { name: language === 'en' ? 'at most 40 passes' : '40 vueltas como máximo' })
            .waitFor();
        await page.getByText('Why', { exact: true }).waitFor();
        const frame = await step(page, 'each').boundingBox();
        const inner = await step(page, 'double').boundingBox();
        assert.ok(inner.x > frame.x && inner.x + inner.width < frame.x + frame.width, 'inside, across');
        assert.ok(inner.y > frame.y && inner.y + inner.height < frame.y + frame.height, 'inside, down');
        await shot(page, `containers-${language}-${theme}`);
        await step(page, 'double').click();
        await shot(page, `inside-${language}-${theme}`);
        assert.deepEqual(await violations(page), []);
        assert.deepEqual(page.problems, []);
        await page.context().close();
    });

test('a node is dragged out of a for-each and in again, and its connections are told of', async () => {
    const flow = await made();
    const page = await drawn(flow);
    const at = async (id) => {
        const { x, y } = await step(page, id).boundingBox();
        return { x: x + 20, y: y + 12 };
    };
    const frame = await step(page, 'each').boundingBox();
    const home = await at('double');
    await drag(page, home, { x: frame.x + frame.width / 2, y: frame.y + frame.height + 40 });
    await page.locator('.react-flow__edge-broken').first().waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('.react-flow__edge-broken').first().waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await page.locator('[data-inspector]').waitFor({ state: 'detached' });
    await drag(page, await at('enough'), { x: home.x + 60, y: home.y + 60 });
    const after_ = await saved(page, flow);
    const inside = after_.nodes.find((one) => one.id === 'enough');
    assert.equal(inside.parentId, 'each');
    const grown = after_.nodes.find((one) => one.id === 'each');
    assert.ok(
        inside.position.y > grown.position.y && grown.size.height >= 240,
        'places stay absolute; the frame grew as needed',
    );
    await page.context().close();
});

test('without a pointer: into a for-each by the form, notes by keys', async () => {
    const flow = await made();
    const page = await drawn(flow);
    await step(page, 'report').click();
    await page.getByLabel('Inside of').click();
    await page.getByRole('option', { name: 'each', exact: true }).click();
    await page.locator('.react-flow__pane').click({ position: { x: 5, y: 5 } });
    await page.keyboard.press('n');
    await page.getByRole('textbox', { name: 'Text of the note' }).first().waitFor();
    await page.keyboard.type('Ask **before** changing');
    await page.keyboard.press('Escape');
    await page.locator('.react-flow__node-note strong').getByText('before').waitFor();
    await page.getByText('Green').check({ force: true });
    const after_ = await saved(page, flow);
    assert.equal(after_.nodes.find((one) => one.id === 'report').parentId, 'each');
    assert.deepEqual(
        after_.settings.notes.map(({ text, color }) => [text, color]),
        [
            [looped.settings.notes[0].text, 'blue'],
            ['Ask **before** changing', 'green'],
        ],
    );
    await page.context().close();
});

test('several are lined up, copied to another flow with their names, and undone', async () => {
    const flow = await made();
    const other = await made({
        name: 'Other',
        nodes: [node('start', 'manual-trigger', 0, 0)],
        connections: [],
    });
    const page = await drawn(flow);
    await step(page, 'gather').click();
    await step(page, 'each')
        .locator('strong')
        .first()
        .click({ modifiers: ['Control'] });
    await page.getByRole('toolbar', { name: 'Line up what is chosen' }).waitFor();
    await page.getByRole('button', { name: 'Right edges' }).click();
    const [a, b] = [await step(page, 'gather').boundingBox(), await step(page, 'each').boundingBox()];
    assert.ok(Math.abs(a.x + a.width - b.x - b.width) < 2, 'right edges agree');
    await shot(page, 'aligner');
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.keyboard.press('Control+c');
    await page.goto(`${service.url}/flows/${other.id}`);
    await step(page, 'start').waitFor();
    await page.keyboard.press('Control+v');
    await step(page, 'for-each').waitFor();
    const after_ = await saved(page, other);
    assert.equal(after_.nodes.length, 4);
    assert.equal(after_.nodes.find((one) => one.type === 'template').parentId, 'for-each');
    assert.deepEqual(page.problems, []);
    await page.context().close();
});

test('every node type and category is called something in both languages', async () => {
    const { readFileSync } = await import('node:fs');
    const texts = (language) =>
        JSON.parse(
            readFileSync(
                new URL(`../src/features/catalog/locales/${language}.json`, import.meta.url),
                'utf8',
            ),
        );
    const en = texts('en');
    const es = texts('es');
    for (const type of await service.call('GET', '/catalog/metadata')) {
        assert.deepEqual(
            en.nodes[type.type],
            { name: type.name, description: type.description },
            `${type.type}: features/catalog/locales/en.json says what the catalog says`,
        );
        assert.ok(es.nodes[type.type]?.name, `${type.type} has a name in es.json`);
        assert.ok(es.nodes[type.type]?.description, `${type.type} has a description in es.json`);
        assert.ok(en.categories[type.category] && es.categories[type.category], type.category);
    }
});
