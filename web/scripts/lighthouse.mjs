// Measures the served page with Lighthouse and Debian's chromium; fails below 95 of performance or 100 of accessibility.
// node scripts/lighthouse.mjs [--mobile]   (CAUDAL names the program; the page is build/web)
// As a desktop, or as Lighthouse's slow phone (--mobile); both with simulated throttling.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Service } from '../e2e/support.mjs';

// Of the last major version that runs on Node.js 18. Not among the dependencies: `./run` would install it, too.
const LIGHTHOUSE = 'lighthouse@12.2.1';
const folder = mkdtempSync(join(tmpdir(), 'caudal-lighthouse-'));
const service = await new Service().start();
try {
    const report = join(folder, 'report.json');
    execFileSync(
        'npx',
        [
            '--yes',
            LIGHTHOUSE,
            service.url,
            '--quiet',
            '--output=json',
            `--output-path=${report}`,
            '--throttling-method=simulate',
            '--only-categories=performance,accessibility,best-practices',
            ...(process.argv.includes('--mobile') ? [] : ['--preset=desktop']),
            '--chrome-flags=--headless=new --no-sandbox --disable-gpu',
        ],
        {
            stdio: ['ignore', 'inherit', 'inherit'],
            env: { ...process.env, CHROME_PATH: process.env.CHROMIUM ?? '/usr/bin/chromium' },
        },
    );
    const { categories, audits, environment } = JSON.parse(readFileSync(report, 'utf8'));
    const score = (name) => Math.round(categories[name].score * 100);
    for (const name of Object.keys(categories)) console.log(`${name}: ${score(name)}`);
    for (const name of [
        'first-contentful-paint',
        'largest-contentful-paint',
        'total-blocking-time',
        'cumulative-layout-shift',
    ])
        console.log(`${name}: ${audits[name].displayValue}`);
    // Of a machine that does other work this falls, and the score with it.
    console.log(`the machine's benchmark index: ${environment.benchmarkIndex}`);
    if (score('performance') < 95 || score('accessibility') < 100) process.exitCode = 1;
} finally {
    await service.done();
    rmSync(folder, { recursive: true, force: true });
}
