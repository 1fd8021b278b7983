// Measures the editor with a flow of many nodes: the time from frame to frame while it is panned, zoomed and a node is
// dragged, in headless chromium without a graphics card.
// node scripts/canvas.mjs [NODES] [--json]   (CAUDAL names the program; the page is build/web)
import { launch, link, node, open, Service } from '../e2e/support.mjs';

const count = Number(process.argv.slice(2).find((one) => /^\d+$/.test(one)) ?? 250);
const columns = 25;
const service = await new Service().start();
const browser = await launch();
const results = {};
try {
    const nodes = Array.from({ length: count }, (_, i) => ({
        ...(i === 0
            ? node(`n${i}`, 'manual-trigger')
            : i % 3 === 0
              ? node(`n${i}`, 'if', { conditions: [{ field: 'n', operator: 'exists' }] })
              : node(`n${i}`, 'set-fields', { fields: [{ field: 'n', value: i }] })),
        position: { x: (i % columns) * 300, y: Math.floor(i / columns) * 190 },
    }));
    const connections = nodes.slice(1).map(({ id }, i) => ({
        ...link(nodes[i].id, id),
        fromOutput: nodes[i].type === 'if' ? 'true' : 'output',
        toInput: 'data',
    }));
    const flow = await service.call('POST', '/flows', { name: `${count} nodes`, nodes, connections });
    const began = Date.now();
    const page = await open(browser, service, { path: `/flows/${flow.id}` });
    page.setDefaultTimeout(120_000); // a machine that does other work shows little in a minute
    await page.locator('.react-flow__node').nth(5).waitFor();
    await page.waitForFunction(
        () =>
            document.querySelectorAll('.react-flow__edge').length > 10 && document.fonts.status === 'loaded',
    );
    results.openMs = Date.now() - began;
    const measured = async (name, act) => {
        await page.waitForTimeout(500);
        await page.evaluate(() => {
            window.frames_ = [];
            let last = performance.now();
            const next = (now) => {
                window.frames_.push(now - last);
                last = now;
                window.recording = requestAnimationFrame(next);
            };
            window.recording = requestAnimationFrame(next);
        });
        await act();
        const frames = await page.evaluate(() => {
            cancelAnimationFrame(window.recording);
            return window.frames_.slice(1).sort((a, b) => a - b);
        });
        const at = (q) =>
            Math.round(frames[Math.min(frames.length - 1, Math.floor(frames.length * q))] * 10) / 10;
        results[name] = { frames: frames.length, p50: at(0.5), p95: at(0.95), max: at(1) };
    };
    const pane = await page.locator('.react-flow__pane').boundingBox();
    const middle = { x: pane.x + pane.width / 2, y: pane.y + pane.height / 2 };
    const moved = async (from, dx, dy, steps) => {
        await page.mouse.move(from.x, from.y);
        await page.mouse.down();
        for (let i = 1; i <= steps; i++)
            await page.mouse.move(from.x + (dx * i) / steps, from.y + (dy * i) / steps);
        await page.mouse.up();
    };
    /** A place of the pane where no node is; all of them are looked at in one go. */
    const free = async () => {
        const found = await page.evaluate(({ x: left, y: top, width, height }) => {
            for (let y = top + 8; y < top + height; y += 12)
                for (let x = left + 260; x < left + width - 60; x += 20)
                    if (document.elementFromPoint(x, y)?.classList.contains('react-flow__pane'))
                        return { x, y };
            return null;
        }, pane);
        if (found === null) throw new Error('the pane is full');
        return found;
    };
    await measured('pan, all in sight', async () => {
        for (let i = 0; i < 3; i++) await moved(await free(), (i % 2 ? -1 : 1) * 300, 60, 60);
    });
    await measured('zoom', async () => {
        await page.mouse.move(middle.x, middle.y);
        for (let i = 0; i < 60; i++) await page.mouse.wheel(0, i < 30 ? -60 : 40);
    });
    await measured('pan, close', async () => {
        for (let i = 0; i < 3; i++) await moved(await free(), (i % 2 ? -1 : 1) * 300, 60, 60);
    });
    // No node need be in sight any more: the whole drawing is shown again.
    await page.locator('.react-flow__controls-fitview').click();
    const first = page.locator('.react-flow__node').first();
    const box = await first.boundingBox();
    await measured('drag a node, all in sight', () =>
        moved({ x: box.x + box.width / 2, y: box.y + box.height / 3 }, 160, 90, 80),
    );
    const left = await first.boundingBox();
    if (left.x === box.x && left.y === box.y) throw new Error('nothing was dragged');
} finally {
    await browser.close();
    await service.done();
}
if (process.argv.includes('--json')) console.log(JSON.stringify({ nodes: count, ...results }));
else {
    console.log(`${count} nodes: open ${results.openMs} ms`);
    for (const [name, one] of Object.entries(results))
        if (typeof one === 'object')
            console.log(
                `${name}: p50 ${one.p50} ms, p95 ${one.p95} ms, longest ${one.max} ms, ${one.frames} frames`,
            );
}
