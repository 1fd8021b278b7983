// The editor: for-each containers, loops, notes, lining up, copying, both languages and themes.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
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
    const apart = async () => {
        const [a, b] = [await step(page, 'gather').boundingBox(), await step(page, 'each').boundingBox()];
        return Math.abs(a.x + a.width - b.x - b.width);
    };
    for (let tries = 0; tries < 200 && (await apart()) >= 2; tries++) await page.waitForTimeout(50); // until it is drawn
    assert.ok((await apart()) < 2, 'right edges agree');
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

/** Two steps of which the second writes what the first gave. */
const short = {
    name: 'Short',
    nodes: [
        node('start', 'manual-trigger', 0, 0, { output: { a: 1 } }),
        node('fields', 'set-fields', 300, 0, { fields: [{ field: 'b', value: 2 }] }),
        node('say', 'log', 600, 0, { message: 'said' }),
    ],
    connections: [link('start', 'output', 'fields', 'data'), link('fields', 'output', 'say', 'data')],
};
const lastRun = (page) => page.getByRole('region', { name: 'Last run' });
const over = (page, status = 'success') =>
    lastRun(page).locator(`[data-status="${status}"]`).first().waitFor();

test('an output is pinned, changed, used by runs, kept with the flow, and let go', async () => {
    const flow = await made(short);
    const page = await drawn(flow);
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Run' }).click();
    await over(page);
    await step(page, 'fields').click();
    await page.getByRole('tab', { name: 'Output' }).click();
    await page.getByRole('button', { name: 'Pin as test data' }).click();
    await step(page, 'fields').getByText('Pinned').waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'Change', exact: true }).click();
    await page.getByLabel('Pinned data').fill('not JSON');
    await page.getByRole('button', { name: 'Keep', exact: true }).click();
    await page.getByText('It must be a JSON object').waitFor();
    await page.getByLabel('Pinned data').fill('{"output": {"pinned": 7}}');
    await page.getByRole('button', { name: 'Keep', exact: true }).click();
    await shot(page, 'pinned');
    assert.deepEqual(await violations(page), []);
    const kept = await saved(page, flow);
    assert.deepEqual(kept.metadata.pins, { fields: { output: { pinned: 7 } } });
    await page.keyboard.press('Escape');
    await page.locator('[data-inspector]').waitFor({ state: 'detached' });
    await step(page, 'say').click();
    const started = page.waitForResponse((response) => response.url().endsWith('/run'));
    await page.getByRole('button', { name: 'Run up to here' }).click();
    const { data } = await (await started).json();
    const execution = await service.finished(data.executionId);
    const of = (id) => execution.nodeExecutions.find((one) => one.nodeId === id);
    assert.deepEqual(of('fields').output, { output: { pinned: 7 } });
    assert.deepEqual(of('say').output, { output: { pinned: 7 } });
    await step(page, 'fields').click();
    await page.getByRole('tab', { name: 'Output' }).click();
    await page.getByRole('button', { name: 'Unpin' }).click();
    assert.equal((await saved(page, flow)).metadata?.pins, undefined);
    assert.deepEqual(page.problems, []);
    await page.context().close();
});

test('settings of nodes are in Spanish: nearly all there are', async () => {
    const texts = JSON.parse(
        readFileSync(new URL('../src/features/editor/field-texts.es.json', import.meta.url), 'utf8'),
    );
    const said = new Set();
    const gather = (fields) => {
        for (const field of fields ?? []) {
            for (const text of [field.label, field.help, field.group]) if (text) said.add(text);
            gather(field.fields);
        }
    };
    for (const type of await service.call('GET', '/catalog/metadata')) gather(type.fields);
    const missing = [...said].filter((text) => texts[text] === undefined);
    // A node type that is quite new may still speak English.
    assert.ok(missing.length <= said.size / 10, missing.join('\n'));
    const page = await drawn(await made(short), { language: 'es' });
    await step(page, 'say').click();
    await page.getByRole('textbox', { name: 'Mensaje' }).waitFor();
    await page.getByText('El texto de la línea.').waitFor();
    assert.deepEqual(page.problems, []);
    await page.context().close();
});

test('run up to a node runs no further; again with another input', async () => {
    const flow = await made(short);
    const page = await drawn(flow);
    await step(page, 'fields').click();
    await page.getByRole('button', { name: 'Run up to here' }).click();
    await over(page);
    await lastRun(page).getByRole('button', { name: 'fields' }).waitFor();
    assert.equal(await lastRun(page).getByRole('button', { name: 'say' }).count(), 0);
    await lastRun(page).getByRole('button', { name: 'Run again…' }).click();
    await page.getByLabel('Input (JSON)').fill('{"edited": true}');
    const started = page.waitForResponse((response) => response.url().endsWith('/rerun'));
    await page.getByRole('dialog').getByRole('button', { name: 'Run' }).click();
    const { data } = await (await started).json();
    const execution = await service.finished(data.executionId);
    assert.deepEqual(execution.input, { edited: true });
    await page.reload();
    await page.getByRole('button', { name: 'Show the last run' }).click();
    await over(page);
    await page.context().close();
});

for (const [language, theme] of [
    ['en', 'light'],
    ['es', 'dark'],
])
    test(`published, compared on the canvas and rolled back (${language}, ${theme})`, async () => {
        const texts =
            language === 'en'
                ? {
                      publish: 'Publish',
                      note: /^Note/,
                      published: 'v1 published',
                      behind: 'v1 published, draft v2',
                      versions: 'Versions',
                      compare: 'Compare with version 1',
                      restore: 'Restore version 1',
                      confirm: 'Restore',
                      added: 'Added: 1',
                      end: 'End',
                  }
                : {
                      publish: 'Publicar',
                      note: /^Nota/,
                      published: 'v1 publicada',
                      behind: 'v1 publicada, borrador v2',
                      versions: 'Versiones',
                      compare: 'Comparar con la versión 1',
                      restore: 'Restaurar la versión 1',
                      confirm: 'Restaurar',
                      added: 'Añadidos: 1',
                      end: 'Terminar',
                  };
        const flow = await made(short);
        const page = await drawn(flow, { language, theme });
        const button = (name) => page.getByRole('button', { name, exact: true });
        await button(texts.publish).click();
        await page.getByRole('dialog').getByLabel(texts.note).fill('First that works');
        await shot(page, `publish-${language}-${theme}`);
        assert.deepEqual(await violations(page), []);
        await page.getByRole('dialog').getByRole('button', { name: texts.publish }).click();
        await page.getByText(texts.published, { exact: true }).waitFor();
        await service.call('PUT', `/flows/${flow.id}`, {
            nodes: [
                flow.nodes[0],
                { ...flow.nodes[1], config: { fields: [{ field: 'b', value: 3 }] } },
                node('extra', 'log', 600, 160, { message: 'new' }),
            ],
            connections: [
                link('start', 'output', 'fields', 'data'),
                link('fields', 'output', 'extra', 'data'),
            ],
        });
        await page.reload();
        await page.getByText(texts.behind, { exact: true }).waitFor();
        await button(texts.versions).click();
        await page.getByText('First that works').waitFor();
        await button(texts.compare).click();
        await page.getByText(texts.added).waitFor();
        await step(page, 'say').waitFor();
        for (const [id, part] of [
            ['say', 'diffRemoved'],
            ['extra', 'diffAdded'],
            ['fields', 'diffChanged'],
        ])
            assert.match(await step(page, id).getAttribute('class'), new RegExp(part), id);
        await page.getByText('config.fields[0].value').waitFor();
        await shot(page, `compared-${language}-${theme}`);
        assert.deepEqual(await violations(page), []);
        await button(texts.end).click();
        await step(page, 'say').waitFor({ state: 'detached' });
        await button(texts.restore).click();
        await page.getByRole('alertdialog').getByRole('button', { name: texts.confirm }).click();
        await step(page, 'say').waitFor();
        const now = await service.call('GET', `/flows/${flow.id}`);
        assert.deepEqual(
            now.nodes.map((one) => one.id),
            ['start', 'fields', 'say'],
        );
        assert.equal(now.publishedVersion, 1);
        assert.deepEqual(page.problems, []);
        await page.context().close();
    });

test('an expression shows what it gives on the last run, and is completed', async () => {
    const flow = await made({
        ...short,
        nodes: [
            ...short.nodes.slice(0, 2),
            node('say', 'log', 600, 0, { message: 'It is {{ nodes.fields.output.b + 40 }}' }),
        ],
    });
    await service.finished((await service.call('POST', `/flows/${flow.id}/run`, {})).executionId);
    const page = await drawn(flow, { theme: 'dark' });
    await page.getByRole('button', { name: 'Show the last run' }).click();
    await over(page);
    await step(page, 'say').click();
    await page.getByText('It is 42').first().waitFor();
    await page.getByRole('textbox', { name: 'Message' }).fill('{{ nodes.fields.output.nothing.more }}');
    await page.locator('[data-bad][role="status"]').waitFor();
    const data = page.getByRole('textbox', { name: 'Data' });
    await data.click();
    await page.keyboard.type('{{ nodes.f');
    await page.getByRole('option', { name: 'fields' }).click();
    await page.keyboard.type('.o');
    await page.getByRole('option', { name: 'output' }).waitFor();
    await shot(page, 'completion-dark');
    await page.getByRole('option', { name: 'output' }).click();
    await page.keyboard.type('.b }}');
    await page.getByText('number', { exact: false }).first().waitFor();
    const paper = await data.evaluate((element) => {
        const colors = [];
        for (let at = element; at !== null; at = at.parentElement)
            colors.push(getComputedStyle(at).backgroundColor);
        return colors;
    });
    assert.ok(!paper.includes('rgb(255, 255, 255)'), `dark paper: ${paper.join(' ')}`);
    assert.deepEqual(await violations(page), []);
    const after_ = await saved(page, flow);
    assert.match(after_.nodes[2].config.data, /nodes\.fields\.output\.b/);
    assert.deepEqual(page.problems, []);
    await page.context().close();
});

test('each pass of a node that runs several times can be looked at', async () => {
    const page = await drawn(await made());
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Run' }).click();
    await over(page, 'failed');
    await page.getByRole('button', { name: '40 of 40 passes' }).waitFor();
    await step(page, 'double').getByText('×3').waitFor();
    await step(page, 'double').click();
    await page.getByRole('tab', { name: 'Input' }).click();
    await page.getByRole('tabpanel').getByText('"data": 3').waitFor();
    await page.getByLabel('Pass (3 in all)').click();
    await page.getByRole('option', { name: /^0/ }).click();
    await page.getByRole('tabpanel').getByText('"data": 1').waitFor();
    await shot(page, 'passes');
    assert.deepEqual(await violations(page), []);
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
