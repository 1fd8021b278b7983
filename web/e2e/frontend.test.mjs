// The plan's own frontend, unchanged: a page of another origin that sends exactly what it sends (shared contract 1.7,
// 2a), with a browser's preflights, and reads what it reads (7, 8).
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { launch, Service } from './support.mjs';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
let service, browser, page, site;

before(async () => {
    site = createServer((_, response) => {
        response.setHeader('Content-Type', 'text/html');
        response.end('<!doctype html><html lang="en"><title>frontend</title>');
    }).listen(0, '127.0.0.1');
    await once(site, 'listening');
    const origin = `http://localhost:${site.address().port}`;
    service = await new Service({ WS_CORS_ORIGINS: origin }).start();
    browser = await launch();
    page = await browser.newPage();
    await page.goto(origin);
    // Its client: every request says JSON, even those without a body; no cookies, no token.
    await page.evaluate((base) => {
        window.send = async (method, path, body) => {
            const response = await fetch(`${base}/api/v1${path}`, {
                method,
                headers: { 'Content-Type': 'application/json' },
                ...(body === undefined ? {} : { body: JSON.stringify(body) }),
            });
            const text = await response.text();
            return {
                status: response.status,
                type: response.headers.get('content-type') ?? '',
                body: text === '' ? null : JSON.parse(text),
            };
        };
    }, service.url);
});
after(async () => {
    await browser?.close();
    await service?.done();
    site?.close();
});

const send = (method, path, body) =>
    page.evaluate(
        ([m, p, b]) => window.send(m, p, b),
        [method, path, body].filter((x) => x !== undefined),
    );
/** {data, timestamp, path} around everything that succeeded. */
async function good(status, method, path, body) {
    const answer = await send(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    assert.match(answer.type, /^application\/json/);
    assert.match(answer.body.timestamp, ISO);
    assert.equal(answer.body.path, `/api/v1${path}`);
    return answer.body;
}
async function refused(status, code, method, path, body) {
    const answer = await send(method, path, body);
    assert.deepEqual([answer.status, answer.body.code], [status, code]);
    assert.ok(typeof answer.body.message === 'string' || Array.isArray(answer.body.message));
    assert.ok(!('data' in answer.body));
    assert.match(answer.body.timestamp, ISO);
    assert.ok(!answer.body.code.includes('TIMEOUT'), 'the client would send it again');
    return answer.body;
}
const listOf = (body) => {
    assert.ok(Array.isArray(body.data.data));
    const { page: at, limit, total, totalPages } = body.data.pagination;
    for (const number of [at, limit, total, totalPages]) assert.ok(Number.isInteger(number));
    return body.data.data;
};
const ended = async (id) => {
    for (;;) {
        const { data } = await good(200, 'GET', `/scheduler/executions/${id}`);
        assert.match(data.startTime, ISO);
        assert.ok(Array.isArray(data.nodeExecutions));
        for (const node of data.nodeExecutions) {
            assert.match(node.startTime, ISO);
            assert.ok(typeof node.status === 'string' && node.status !== '');
        }
        if (!['pending', 'running'].includes(data.status)) return data;
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
};

// As its canvas has them: positions as text, the pins `output` and `input`.
const canvas = (rows) => ({
    nodes: [
        {
            id: 'node-1',
            type: 'data-filter',
            version: '1.0.0',
            position: { x: '100', y: '80.5' },
            config: { data: rows, conditions: [{ field: 'status', operator: 'equals', value: 'open' }] },
        },
        {
            id: 'node-2',
            type: 'field-mapper',
            version: '1.0.0',
            position: { x: '400', y: '80' },
            config: { mapping: [{ sourceField: 'id', targetField: 'number' }] },
        },
    ],
    connections: [{ fromNodeId: 'node-1', fromOutput: 'output', toNodeId: 'node-2', toInput: 'input' }],
});
const rows = [
    { id: 1, status: 'open' },
    { id: 2, status: 'closed' },
];
let flow;

test('save a new flow, list, search, load', async () => {
    flow = (await good(201, 'POST', '/flows', { name: 'orders', description: '', ...canvas(rows) })).data;
    assert.deepEqual([flow.status, flow.version, flow.metadata], ['draft', 1, null]);
    assert.deepEqual(flow.nodes[0].position, { x: 100, y: 80.5 }, 'numbers, or its canvas adds texts');
    assert.deepEqual(flow.connections, canvas(rows).connections, 'pin names as they came');
    await refused(409, 'CONFLICT', 'POST', '/flows', { name: 'orders', description: '', ...canvas(rows) });
    await refused(400, 'VALIDATION_ERROR', 'POST', '/flows', { name: '', description: '', ...canvas(rows) });
    for (const path of [
        '/flows?page=1&limit=10',
        '/flows?page=1&limit=10&search=ord&status=draft',
        '/flows?page=1&limit=10&status=draft',
        '/flows?limit=100',
    ]) {
        const body = await good(200, 'GET', path);
        const [one] = listOf(body);
        assert.deepEqual([one.id, one.nodeCount, typeof one.name], [flow.id, 2, 'string'], path);
        assert.match(one.updatedAt, ISO);
        assert.equal(body.data.total, 1, 'its list page reads the total here');
    }
    assert.deepEqual(listOf(await good(200, 'GET', '/flows?page=9&limit=10')), []);
    assert.deepEqual((await good(200, 'GET', `/flows/${flow.id}`)).data.nodes, flow.nodes);
    await refused(400, 'VALIDATION_ERROR', 'GET', '/flows/not-an-id');
    await refused(404, 'NOT_FOUND', 'GET', '/flows/00000000-0000-4000-8000-000000000000');
});

test('save it again: validated first, un-enveloped too', async () => {
    const check = await good(200, 'POST', `/flows/${flow.id}/validate`);
    for (const answer of [check, check.data]) {
        assert.equal(answer.valid, true);
        assert.deepEqual([Array.isArray(answer.errors), Array.isArray(answer.warnings)], [true, true]);
    }
    const changed = await good(200, 'PUT', `/flows/${flow.id}`, {
        name: 'orders',
        description: 'changed',
        ...canvas(rows),
    });
    assert.deepEqual([changed.data.description, changed.data.nodes.length], ['changed', 2]);
});

test('duplicate: what was read is posted as it came', async () => {
    const { data } = await good(200, 'GET', `/flows/${flow.id}`);
    const { description, nodes, connections, metadata } = data;
    const copy = await good(201, 'POST', '/flows', {
        name: 'orders (Copy)',
        description,
        nodes,
        connections,
        metadata,
    });
    const gone = await send('DELETE', `/flows/${copy.data.id}`);
    assert.deepEqual([gone.status, gone.body], [204, null]);
});

test('both Execute buttons, and the dialog that follows', async () => {
    await good(200, 'PUT', `/flows/${flow.id}`, { status: 'active' });
    const listed = await good(201, 'POST', '/scheduler/executions', { flowId: flow.id });
    assert.equal(listed.data.status, 'pending');
    const built = {
        flowId: flow.id,
        metadata: {
            triggeredBy: 'manual',
            triggeredAt: new Date().toISOString(),
            nodes: canvas(rows).nodes.map((node) => ({
                ...node,
                name: node.type,
                category: 'transformation',
                position: { x: 1.5, y: 2 },
            })),
            connections: canvas(rows).connections,
        },
    };
    const first = await good(201, 'POST', '/scheduler/executions', built);
    const again = await good(201, 'POST', '/scheduler/executions', built);
    assert.equal(
        again.data.executionId,
        first.data.executionId,
        'the same call once more is the same execution',
    );
    const done = await ended(first.data.executionId);
    assert.deepEqual(
        [done.status, done.nodeExecutions.length, done.metadata.triggeredBy, done.errorMessage],
        ['success', 2, 'manual', null],
    );
    assert.ok(done.recordsProcessed > 0 && done.duration >= 0);
    await refused(404, 'NOT_FOUND', 'POST', '/scheduler/executions', {
        flowId: '00000000-0000-4000-8000-000000000000',
    });
});

test('the list of executions, its filters, logs, retry and cancel', async () => {
    const id = (await good(201, 'POST', '/scheduler/executions', { flowId: flow.id })).data.executionId;
    await ended(id);
    for (const path of [
        '/scheduler/executions?page=1&limit=20',
        `/scheduler/executions?page=1&limit=20&search=${id}&status=success`,
    ]) {
        const found = listOf(await good(200, 'GET', path)).find((one) => one.id === id);
        assert.deepEqual(
            [found.flowId, found.scheduleId, found.status, found.retryCount],
            [flow.id, null, 'success', 0],
        );
        assert.match(found.startTime, ISO);
    }
    for (const status of ['failed', 'running', 'cancelled', 'pending'])
        assert.deepEqual(
            listOf(await good(200, 'GET', `/scheduler/executions?page=1&limit=20&status=${status}`)),
            [],
        );
    for (const path of ['', '?level=error', '?level=info', '?level=warn', '?level=debug']) {
        const { data } = await good(200, 'GET', `/scheduler/executions/${id}/logs${path}`);
        assert.ok(Array.isArray(data));
        for (const line of data) assert.match(line.timestamp, ISO);
    }
    await refused(400, 'VALIDATION_ERROR', 'POST', `/scheduler/executions/${id}/retry`);
    const bad = await good(201, 'POST', '/flows', {
        name: 'fails',
        description: '',
        nodes: [{ ...canvas(rows).nodes[0], type: 'stop-with-error', config: { message: 'No stock left' } }],
        connections: [],
    });
    const failed = await ended(
        (await good(201, 'POST', '/scheduler/executions', { flowId: bad.data.id })).data.executionId,
    );
    assert.equal(failed.status, 'failed');
    assert.match(failed.errorMessage, /No stock left/);
    const repeat = await send('POST', `/scheduler/executions/${failed.id}/retry`);
    assert.ok([201, 202].includes(repeat.status));
    assert.deepEqual((await ended(repeat.body.data.executionId)).retryCount, 1);
    const slow = await good(201, 'POST', '/flows', {
        name: 'slow',
        description: '',
        nodes: [{ ...canvas(rows).nodes[0], type: 'delay', config: { durationMs: 3_600_000 } }],
        connections: [],
    });
    const going = (await good(201, 'POST', '/scheduler/executions', { flowId: slow.data.id })).data
        .executionId;
    await good(200, 'POST', `/scheduler/executions/${going}/cancel`);
    assert.equal((await ended(going)).status, 'cancelled');
});

test('schedules: made, listed, searched, switched, deleted', async () => {
    const made = await good(201, 'POST', '/scheduler/schedules', {
        flowId: flow.id,
        name: 'nightly',
        description: '',
        cronExpression: '0 2 * * *',
        timezone: 'Europe/Madrid',
        enabled: true,
        maxRetries: 3,
        retryDelay: 300,
    });
    assert.match(made.data.nextRun, ISO);
    await refused(400, 'VALIDATION_ERROR', 'POST', '/scheduler/schedules', {
        flowId: flow.id,
        name: 'bad',
        cronExpression: '61 * * * *',
    });
    for (const query of ['', '&search=night', '&enabled=true', '&search=night&enabled=true'])
        assert.deepEqual(
            listOf(await good(200, 'GET', `/scheduler/schedules?page=1&limit=20${query}`)).map(
                (one) => one.name,
            ),
            ['nightly'],
            query,
        );
    const conflict = await refused(409, 'CONFLICT', 'DELETE', `/flows/${flow.id}`);
    assert.match(String(conflict.message), /active schedules/);
    assert.equal(
        (await good(200, 'POST', `/scheduler/schedules/${made.data.id}/disable`)).data.enabled,
        false,
    );
    assert.deepEqual(listOf(await good(200, 'GET', '/scheduler/schedules?page=1&limit=20&enabled=true')), []);
    assert.equal((await good(200, 'POST', `/scheduler/schedules/${made.data.id}/enable`)).data.enabled, true);
    assert.equal((await send('DELETE', `/scheduler/schedules/${made.data.id}`)).status, 204);
});

test('the catalog and the documentation of each type', async () => {
    const { data } = await good(200, 'GET', '/catalog/metadata');
    assert.ok(data.length > 4);
    for (const one of data) {
        for (const text of [one.type, one.name, one.category, one.description])
            assert.equal(typeof text, 'string');
        assert.ok(Array.isArray(one.inputs) && Array.isArray(one.outputs));
        for (const input of one.inputs)
            if (input.type === 'string' && 'defaultValue' in input && input.defaultValue !== null)
                assert.equal(typeof input.defaultValue, 'string', `${one.type}.${input.name}`);
    }
    for (const type of ['postgresql-query', 'mongodb-operations', 'data-filter', 'field-mapper']) {
        const { data: text } = await good(200, 'GET', `/catalog/documentation/${type}`);
        assert.equal(text.type, type);
        for (const list of [
            'usageExamples',
            'requirements',
            'limitations',
            'troubleshooting',
            'bestPractices',
        ])
            assert.ok(Array.isArray(text[list]), list);
    }
});

test('its WebSocket: ping, the execution that its dialog follows, one ending', async () => {
    const id = (
        await good(201, 'POST', '/flows', {
            name: 'watched',
            description: '',
            nodes: [{ ...canvas(rows).nodes[0], type: 'delay', config: { durationMs: 1500 } }],
            connections: [],
        })
    ).data.id;
    const told = await page.evaluate(
        async ([base, flowId]) => {
            const socket = new WebSocket(`${base.replace('http', 'ws')}/ws`);
            const heard = [];
            socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
            await new Promise((resolve, reject) => {
                socket.onopen = resolve;
                socket.onerror = () => reject(new Error('no WebSocket'));
            });
            socket.send(JSON.stringify({ type: 'ping' }));
            const { body } = await window.send('POST', '/scheduler/executions', { flowId });
            const { executionId } = body.data;
            const over = new Promise((resolve) => {
                socket.onmessage = ({ data }) => {
                    const message = JSON.parse(data);
                    heard.push(message);
                    if (['success', 'failed'].includes(message.status)) resolve();
                };
            });
            socket.send(JSON.stringify({ type: 'subscribe', channel: 'execution', executionId }));
            await over;
            socket.send(JSON.stringify({ type: 'unsubscribe', channel: 'execution', executionId }));
            socket.send(JSON.stringify({ type: 'subscribe', channel: 'system' }));
            await new Promise((resolve) => {
                socket.onmessage = ({ data }) => {
                    const message = JSON.parse(data);
                    heard.push(message);
                    if (message.type === 'job_stats') resolve();
                };
            });
            socket.close();
            return { executionId, heard };
        },
        [service.url, id],
    );
    const updates = told.heard.filter((one) => one.type === 'execution_update');
    assert.ok(told.heard.some((one) => one.type === 'pong'));
    assert.ok(updates.every((one) => one.executionId === told.executionId && ISO.test(one.timestamp)));
    assert.equal(updates.filter((one) => one.status === 'success').length, 1, 'an ending is told once');
    const stats = told.heard.find((one) => one.type === 'job_stats');
    for (const name of ['waiting', 'active', 'completed', 'failed', 'delayed', 'paused'])
        assert.ok(Number.isInteger(stats[name]), name);
});
