// Writes .br and .gz beside each text file of the built page; the gateway sends those.
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const out = process.env.WEB_OUT ?? new URL('../../build/web', import.meta.url).pathname;
const walk = (folder) =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)],
    );
for (const file of walk(out)) {
    if (!/\.(js|css|html|svg|json|webmanifest|txt)$/.test(file) || statSync(file).size < 512) continue;
    const bytes = readFileSync(file);
    const small = brotliCompressSync(bytes, {
        params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
    });
    writeFileSync(file + '.br', small);
    writeFileSync(file + '.gz', gzipSync(bytes, { level: 9 }));
}
