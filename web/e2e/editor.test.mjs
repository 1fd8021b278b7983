// The editor: for-each containers, loops, notes, lining up, copying, both languages and themes.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { browser, finish, open, service, settled, stage, violations } from './support.mjs';
import { inBoth } from './texts.mjs';

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

stage();

let count = 0;
const made = (definition = looped) =>
    service.call('POST', '/flows', { ...definition, name: `${definition.name} ${++count}` });
const drawn = async (flow, options = {}) => {
    const page = await open(browser, service, { path: `/flows/${flow.id}`, ...options });
    await page
        .locator('.react-flow__node')
        .nth(flow.nodes.length - 1)
        .waitFor();
    await settled(page); // what is dragged must not move away under the pointer
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

inBoth('containers, loops and notes are drawn as what they are', async ({ t, look, language }) => {
    const page = await drawn(await made(), look);
    await page.getByRole('button', { name: t('editor:loop.most', { count: 40, number: '40' }) }).waitFor();
    await page.getByText('Why', { exact: true }).waitFor();
    const frame = await step(page, 'each').boundingBox();
    const inner = await step(page, 'double').boundingBox();
    assert.ok(inner.x > frame.x && inner.x + inner.width < frame.x + frame.width, 'inside, across');
    assert.ok(inner.y > frame.y && inner.y + inner.height < frame.y + frame.height, 'inside, down');
    await shot(page, `containers-${language}`);
    await step(page, 'double').click();
    await shot(page, `inside-${language}`);
    await finish(page);
});

inBoth(
    'a node is dragged out of a for-each and in again, and its connections are told of',
    async ({ t, look }) => {
        const flow = await made();
        const page = await drawn(flow, look);
        const at = async (id) => {
            const { x, y } = await step(page, id).boundingBox();
            return { x: x + 20, y: y + 12 };
        };
        const frame = await step(page, 'each').boundingBox();
        const home = await at('double');
        await drag(page, home, { x: frame.x + frame.width / 2, y: frame.y + frame.height + 40 });
        await page.locator('.react-flow__edge-broken').first().waitFor({ state: 'attached' });
        await page.getByRole('button', { name: t('editor:undo') }).click();
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
        await finish(page, { axe: false });
    },
);

inBoth('a type is dragged from the palette to where it is let go, a for-each too', async ({ t, look }) => {
    const flow = await made();
    const page = await drawn(flow, look);
    const type = page.locator('[data-palette]').getByRole('button', { name: t('catalog:nodes.limit.name') });
    await type.scrollIntoViewIfNeeded();
    const from = await type.boundingBox();
    const home = { x: from.x + from.width / 2, y: from.y + from.height / 2 };
    const top = async () => (await page.locator('.react-flow').boundingBox()).y;
    const before = await top();
    for (const [id, under, right, down] of [
        ['limit', 'start', 0.1, 1.5],
        ['limit-2', 'each', 0.3, 0.3],
    ]) {
        const { x, y, width, height } = await step(page, under).boundingBox();
        await drag(page, home, { x: x + width * right, y: y + height * down });
        await step(page, id).waitFor();
        // The view may have moved, so that the form covers nothing.
        const [there, now] = [await step(page, id).boundingBox(), await step(page, under).boundingBox()];
        const off = Math.hypot(there.x - now.x - width * right, there.y - now.y - height * down);
        assert.ok(off < 3, `${id}: ${off} px from where it was let go`);
    }
    const told = { name: t.like('editor:warnings', { count: 3 }) };
    await page.getByRole('button', told).waitFor();
    assert.equal(await top(), before, 'what is told of the flow moves nothing');
    const after_ = await saved(page, flow);
    const parents = ['limit', 'limit-2'].map((id) => after_.nodes.find((one) => one.id === id).parentId);
    assert.deepEqual(parents, [undefined, 'each']);
    await finish(page, { axe: false });
});

inBoth('without a pointer: into a for-each by the form, notes by keys', async ({ t, look }) => {
    const flow = await made();
    const page = await drawn(flow, look);
    await step(page, 'report').click();
    await page.getByLabel(t('editor:inside')).click();
    await page.getByRole('option', { name: 'each', exact: true }).click();
    await page.locator('.react-flow__pane').click({ position: { x: 5, y: 5 } });
    await page.keyboard.press('n');
    await page
        .getByRole('textbox', { name: t('editor:note.text') })
        .first()
        .waitFor();
    await page.keyboard.type('Ask **before** changing');
    await page.keyboard.press('Escape');
    await page.locator('.react-flow__node-note strong').getByText('before').waitFor();
    await page.getByText(t('editor:note.colors.green')).check({ force: true });
    const after_ = await saved(page, flow);
    assert.equal(after_.nodes.find((one) => one.id === 'report').parentId, 'each');
    assert.deepEqual(
        after_.settings.notes.map(({ text, color }) => [text, color]),
        [
            [looped.settings.notes[0].text, 'blue'],
            ['Ask **before** changing', 'green'],
        ],
    );
    await finish(page, { axe: false });
});

inBoth(
    'several are lined up, copied to another flow with their names, and undone',
    async ({ t, look, language }) => {
        const flow = await made();
        const other = await made({
            name: 'Other',
            nodes: [node('start', 'manual-trigger', 0, 0)],
            connections: [],
        });
        const page = await drawn(flow, look);
        await step(page, 'gather').click();
        await step(page, 'each')
            .locator('strong')
            .first()
            .click({ modifiers: ['Control'] });
        await page.getByRole('toolbar', { name: t('editor:align.title') }).waitFor();
        await page.getByRole('button', { name: t('editor:align.right') }).click();
        const apart = async () => {
            const [a, b] = [await step(page, 'gather').boundingBox(), await step(page, 'each').boundingBox()];
            return Math.abs(a.x + a.width - b.x - b.width);
        };
        for (let tries = 0; tries < 200 && (await apart()) >= 2; tries++) await page.waitForTimeout(50); // until it is drawn
        assert.ok((await apart()) < 2, 'right edges agree');
        await shot(page, `aligner-${language}`);
        assert.deepEqual(await violations(page), []);
        await page.getByRole('button', { name: t('editor:undo') }).click();
        await page.keyboard.press('Control+c');
        await page.goto(`${service.url}/flows/${other.id}`);
        await step(page, 'start').waitFor();
        await page.keyboard.press('Control+v');
        await step(page, 'for-each').waitFor();
        const after_ = await saved(page, other);
        assert.equal(after_.nodes.length, 4);
        assert.equal(after_.nodes.find((one) => one.type === 'template').parentId, 'for-each');
        await finish(page, { axe: false });
    },
);

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
const lastRun = (page, t) => page.getByRole('region', { name: t('editor:execution') });
const over = (page, t, status = 'success') =>
    lastRun(page, t).locator(`[data-status="${status}"]`).first().waitFor();

inBoth(
    'an output is pinned, changed, used by runs, kept with the flow, and let go',
    async ({ t, look, language }) => {
        const flow = await made(short);
        const page = await drawn(flow, look);
        await page.getByRole('button', { name: t('editor:run'), exact: true }).click();
        await page
            .getByRole('dialog')
            .getByRole('button', { name: t('editor:run') })
            .click();
        await over(page, t);
        await step(page, 'fields').click();
        await page.getByRole('tab', { name: t('editor:output') }).click();
        await page.getByRole('button', { name: t('editor:pin.pin') }).click();
        await step(page, 'fields')
            .getByText(t('editor:pin.pinned'), { exact: true })
            .waitFor({ state: 'attached' });
        await page.getByRole('button', { name: t('editor:pin.edit'), exact: true }).click();
        await page.getByLabel(t('editor:pin.data')).fill('not JSON');
        await page.getByRole('button', { name: t('editor:pin.keep'), exact: true }).click();
        await page.getByText(t('editor:pin.bad')).waitFor();
        await page.getByLabel(t('editor:pin.data')).fill('{"output": {"pinned": 7}}');
        await page.getByRole('button', { name: t('editor:pin.keep'), exact: true }).click();
        await shot(page, `pinned-${language}`);
        assert.deepEqual(await violations(page), []);
        const kept = await saved(page, flow);
        assert.deepEqual(kept.metadata.pins, { fields: { output: { pinned: 7 } } });
        await page.keyboard.press('Escape');
        await page.locator('[data-inspector]').waitFor({ state: 'detached' });
        await step(page, 'say').click();
        const started = page.waitForResponse((response) => response.url().endsWith('/run'));
        await page.getByRole('button', { name: t('editor:runTo') }).click();
        const { data } = await (await started).json();
        const execution = await service.finished(data.executionId);
        const of = (id) => execution.nodeExecutions.find((one) => one.nodeId === id);
        assert.deepEqual(of('fields').output, { output: { pinned: 7 } });
        assert.deepEqual(of('say').output, { output: { pinned: 7 } });
        await step(page, 'fields').click();
        await page.getByRole('tab', { name: t('editor:output') }).click();
        await page.getByRole('button', { name: t('editor:pin.unpin') }).click();
        assert.equal((await saved(page, flow)).metadata?.pins, undefined);
        await finish(page, { axe: false });
    },
);

inBoth(
    'a long name is read as a whole, narrow too, and stays one line of text',
    async ({ t, look, language }) => {
        const long = `Sales of the night by country, checked against the stock of all shops (${language})`;
        const flow = await service.call('POST', '/flows', { ...short, name: long });
        const page = await drawn(flow, look);
        const name = page.getByLabel(t('editor:name'));
        for (const width of [1280, 360]) {
            await page.setViewportSize({ width, height: 800 });
            assert.equal(await name.inputValue(), long);
            const cut = await name.evaluate((field) => [
                field.scrollWidth - field.clientWidth,
                field.scrollHeight - field.clientHeight,
            ]);
            assert.deepEqual(cut, [0, 0], `at ${width}`);
            const box = await name.boundingBox();
            assert.ok(box.x >= 0 && box.x + box.width <= width, `within ${width}`);
            await shot(page, `name-${width}-${language}`);
            assert.deepEqual(await violations(page), []);
        }
        await name.fill(`Two\n${language}`);
        await name.press('Enter');
        assert.equal(await name.inputValue(), `Two ${language}`);
        assert.equal((await saved(page, flow)).name, `Two ${language}`);
        await finish(page, { axe: false });
    },
);

test('all that the catalog says is there in Spanish, and nothing that it says no more', async () => {
    const said = { field: new Set(), documentation: new Set() };
    const note = (part, ...texts) => texts.filter(Boolean).forEach((text) => said[part].add(text));
    const gather = (fields) => {
        for (const field of fields ?? []) {
            note('field', field.label, field.help, field.group);
            note('field', ...(field.values ?? []).filter((value) => !/^([A-Z]+|[<>]=)$/.test(value)));
            gather(field.fields);
        }
    };
    for (const { type, fields } of await service.call('GET', '/catalog/metadata')) {
        gather(fields);
        const doc = await service.call('GET', `/catalog/documentation/${type}`);
        for (const pin of [...doc.inputs, ...doc.outputs]) note('field', pin.description);
        note('documentation', doc.purpose, ...doc.requirements, ...doc.limitations, ...doc.bestPractices);
        for (const one of doc.troubleshooting)
            note('documentation', one.issue, one.description, one.solution);
        for (const one of doc.usageExamples) note('documentation', one.title, one.description);
    }
    for (const [part, texts] of Object.entries(said)) {
        const file = `features/editor/${part}-texts.es.json`;
        const spanish = JSON.parse(readFileSync(new URL(`../src/${file}`, import.meta.url), 'utf8'));
        const missing = [...texts].filter((text) => !spanish[text]);
        const left = Object.keys(spanish).filter((text) => !texts.has(text));
        assert.deepEqual({ missing, left }, { missing: [], left: [] }, file);
    }
});

inBoth('a node has its settings and its documentation beside it', async ({ t, look, language }) => {
    const page = await drawn(await made(short), look);
    await step(page, 'say').click();
    await page.getByRole('textbox', { name: t.spoken('Message') }).waitFor();
    await page.getByText(t.spoken('The text of the line.')).waitFor();
    const level = page.getByRole('combobox', { name: t.spoken('Level') });
    await level
        .getByText(language === 'en' ? 'info' : `${t.spoken('info')} (info)`, { exact: true })
        .waitFor();
    assert.match(
        await step(page, 'say').locator('[title^="data: any"]').first().getAttribute('title'),
        new RegExp(t.spoken('Added to the line as JSON and passed on.')),
    );
    await page.getByRole('tab', { name: t('editor:doc') }).click();
    const panel = page.getByRole('tabpanel');
    await panel.getByRole('heading', { name: t('catalog:nodes.log.name') }).waitFor();
    await panel.getByText(t('catalog:nodes.log.description')).waitFor();
    await panel.getByText(t.spoken('Added to the line as JSON and passed on.')).first().waitFor();
    for (const part of ['inputs', 'outputs', 'limitations', 'advice', 'troubles'])
        await panel.getByRole('heading', { name: t(`editor:docs.${part}`) }).waitFor();
    await panel.getByText(t.like('editor:docs.example')).click();
    await panel.getByRole('region', { name: t('editor:docs.gives') }).waitFor();
    await shot(page, `documentation-${language}`);
    await finish(page);
});

inBoth('run up to a node runs no further; again with another input', async ({ t, look }) => {
    const flow = await made(short);
    const page = await drawn(flow, look);
    await step(page, 'fields').click();
    await page.getByRole('button', { name: t('editor:runTo') }).click();
    await over(page, t);
    await lastRun(page, t).getByRole('button', { name: 'fields' }).waitFor();
    assert.equal(await lastRun(page, t).getByRole('button', { name: 'say' }).count(), 0);
    await lastRun(page, t)
        .getByRole('button', { name: t('editor:again.again') })
        .click();
    await page.getByLabel(t('editor:runInput')).fill('{"edited": true}');
    const started = page.waitForResponse((response) => response.url().endsWith('/rerun'));
    await page
        .getByRole('dialog')
        .getByRole('button', { name: t('editor:run') })
        .click();
    const { data } = await (await started).json();
    const execution = await service.finished(data.executionId);
    assert.deepEqual(execution.input, { edited: true });
    await page.reload();
    await page.getByRole('button', { name: t('editor:showLast') }).click();
    await over(page, t);
    await finish(page, { axe: false });
});

inBoth('what failed goes on as it is drawn now, which is saved first', async ({ t, look }) => {
    const flow = await made({
        ...short,
        nodes: [...short.nodes.slice(0, 2), node('say', 'log', 600, 0, { message: '{{ JSON.parse("{") }}' })],
    });
    const failed = (await service.call('POST', `/flows/${flow.id}/run`, {})).executionId;
    await service.finished(failed);
    const page = await drawn(flow, look);
    await page.getByRole('button', { name: t('editor:showLast') }).click();
    await over(page, t, 'failed');
    await step(page, 'say').click();
    await page.getByRole('textbox', { name: t.spoken('Message') }).fill('mended');
    const started = page.waitForResponse((response) => response.url().endsWith(`${failed}/retry`));
    await lastRun(page, t)
        .getByRole('button', { name: t('editor:retry') })
        .click();
    const { data } = await (await started).json();
    const execution = await service.finished(data.executionId);
    assert.deepEqual([execution.status, execution.flowVersion], ['success', 2]);
    await over(page, t);
    assert.equal((await service.call('GET', `/flows/${flow.id}`)).nodes[2].config.message, 'mended');
    assert.ok(await page.getByRole('button', { name: t('editor:save'), exact: true }).isDisabled());
    await finish(page);
});

inBoth('published, compared on the canvas and rolled back', async ({ t, look, language }) => {
    const flow = await made(short);
    const page = await drawn(flow, look);
    const button = (name) => page.getByRole('button', { name, exact: true });
    await button(t('editor:publish.publish')).click();
    await page.getByRole('dialog').getByLabel(t('editor:publish.note')).fill('First that works');
    await shot(page, `publish-${language}`);
    assert.deepEqual(await violations(page), []);
    await page
        .getByRole('dialog')
        .getByRole('button', { name: t('editor:publish.publish') })
        .click();
    await page.getByText(t('editor:publish.current', { version: 1 }), { exact: true }).waitFor();
    await service.call('PUT', `/flows/${flow.id}`, {
        nodes: [
            flow.nodes[0],
            { ...flow.nodes[1], config: { fields: [{ field: 'b', value: 3 }] } },
            node('extra', 'log', 600, 160, { message: 'new' }),
        ],
        connections: [link('start', 'output', 'fields', 'data'), link('fields', 'output', 'extra', 'data')],
    });
    await page.reload();
    await page.getByText(t('editor:publish.behind', { version: 1, draft: 2 }), { exact: true }).waitFor();
    await button(t('editor:versions')).click();
    await page.getByText('First that works').waitFor();
    await button(t('editor:compareLabel', { version: 1 })).click();
    await page.getByText(`${t('editor:difference.added')}: 1`).waitFor();
    await step(page, 'say').waitFor();
    for (const [id, part] of [
        ['say', 'diffRemoved'],
        ['extra', 'diffAdded'],
        ['fields', 'diffChanged'],
    ])
        assert.match(await step(page, id).getAttribute('class'), new RegExp(part), id);
    await page.getByText('config.fields[0].value').waitFor();
    await shot(page, `compared-${language}`);
    assert.deepEqual(await violations(page), []);
    await button(t('editor:compareEnd')).click();
    await step(page, 'say').waitFor({ state: 'detached' });
    await button(t('editor:restoreLabel', { version: 1 })).click();
    await page
        .getByRole('alertdialog')
        .getByRole('button', { name: t('editor:restore') })
        .click();
    await step(page, 'say').waitFor();
    const now = await service.call('GET', `/flows/${flow.id}`);
    assert.deepEqual(
        now.nodes.map((one) => one.id),
        ['start', 'fields', 'say'],
    );
    assert.equal(now.publishedVersion, 1);
    await finish(page, { axe: false });
});

inBoth(
    'an expression shows what it gives on the last run, and is completed',
    async ({ t, look, language }) => {
        const flow = await made({
            ...short,
            nodes: [
                ...short.nodes.slice(0, 2),
                node('say', 'log', 600, 0, { message: 'It is {{ nodes.fields.output.b + 40 }}' }),
            ],
        });
        await service.finished((await service.call('POST', `/flows/${flow.id}/run`, {})).executionId);
        const page = await drawn(flow, look);
        await page.getByRole('button', { name: t('editor:showLast') }).click();
        await over(page, t);
        await step(page, 'say').click();
        await page.getByText('It is 42').first().waitFor();
        await page
            .getByRole('textbox', { name: t.spoken('Message') })
            .fill('{{ nodes.fields.output.nothing.more }}');
        await page.locator('[data-bad][role="status"]').waitFor();
        const data = page.getByRole('textbox', { name: t.spoken('Data') });
        await data.click();
        await page.keyboard.type('{{ nodes.f');
        await page.getByRole('option', { name: 'fields' }).click();
        await page.keyboard.type('.o');
        await page.getByRole('option', { name: 'output' }).waitFor();
        await shot(page, `completion-${language}`);
        await page.getByRole('option', { name: 'output' }).click();
        await page.keyboard.type('.b }}');
        await page.getByText('number', { exact: false }).first().waitFor();
        const paper = await data.evaluate((element) => {
            const colors = [];
            for (let at = element; at !== null; at = at.parentElement)
                colors.push(getComputedStyle(at).backgroundColor);
            return colors;
        });
        assert.equal(
            look.theme === 'dark' && paper.includes('rgb(255, 255, 255)'),
            false,
            `dark paper: ${paper.join(' ')}`,
        );
        assert.deepEqual(await violations(page), []);
        const after_ = await saved(page, flow);
        assert.match(after_.nodes[2].config.data, /nodes\.fields\.output\.b/);
        await finish(page, { axe: false });
    },
);

inBoth('each pass of a node that runs several times can be looked at', async ({ t, look, language }) => {
    const page = await drawn(await made(), look);
    await page.getByRole('button', { name: t('editor:run'), exact: true }).click();
    await page
        .getByRole('dialog')
        .getByRole('button', { name: t('editor:run') })
        .click();
    await over(page, t, 'failed');
    await page.getByRole('button', { name: t('editor:loop.passes', { passes: '40', most: '40' }) }).waitFor();
    await step(page, 'double').getByText('×3').waitFor();
    await step(page, 'double').click();
    await page.getByRole('tab', { name: t('editor:input') }).click();
    await page.getByRole('tabpanel').getByText('"data": 3').waitFor();
    await page.getByLabel(t('editor:iteration.label', { count: 3 })).click();
    await page.getByRole('option', { name: /^0/ }).click();
    await page.getByRole('tabpanel').getByText('"data": 1').waitFor();
    await shot(page, `passes-${language}`);
    await finish(page);
});

test('every node type and category is called something in both languages', async () => {
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
