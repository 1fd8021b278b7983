// Writes src/lib/api/schema.d.ts from the program's own OpenAPI document, so that a page that compiles knows the API
// that is there. node scripts/api-types.mjs [PROGRAM]
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const root = new URL('../../', import.meta.url).pathname;
const program =
    process.argv[2] ??
    ['build/release/caudal', 'build/dev/caudal'].map((p) => root + p).find((p) => existsSync(p));
if (program === undefined) {
    console.error('api-types: build the program first (./run --build-only)');
    process.exit(1);
}
const document = JSON.parse(execFileSync(program, ['openapi'], { maxBuffer: 64 << 20 }).toString());
for (const methods of Object.values(document.paths))
    for (const operation of Object.values(methods)) {
        // Every route fails alike: one entry says it.
        const statuses = Object.keys(operation.responses).filter((status) => status < '400');
        operation.responses = {
            ...Object.fromEntries(statuses.map((status) => [status, operation.responses[status]])),
            default: {
                description: 'It failed.',
                content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
            },
        };
    }
const target = new URL('../src/lib/api/schema.d.ts', import.meta.url).pathname;
const text =
    '/* Made by scripts/api-types.mjs from `caudal openapi`. */\n' + astToString(await openapiTS(document));
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text);
