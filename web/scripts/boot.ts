/* Tells public/theme.js, which runs before anything else, what each page needs besides the start: its script, styles and
   texts, which the browser would find only after the frame has run. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin, Rollup } from 'vite';

interface Wanted {
    path: string;
    page: string;
    texts: string;
}
/** As each features/NAME/route.ts says. */
function wanted(features: string): Wanted[] {
    return readdirSync(features).flatMap((name) => {
        const file = join(features, name, 'route.ts');
        if (!existsSync(file)) return []; // no page of its own
        const routes = readFileSync(file, 'utf8').matchAll(/path: '([^']+)'[\s\S]*?import\('([^']+)'\)/g);
        return [...routes].map(([, path = '', module = '']) => {
            const page = join(features, name, `${module}.tsx`);
            return { path, page, texts: join(page, '../locales') };
        });
    });
}

export function boot(src: string): Plugin {
    return {
        name: 'boot',
        apply: 'build',
        writeBundle(options, bundle) {
            const chunks = Object.values(bundle).filter((one) => one.type === 'chunk');
            const needs = (chunk: Rollup.OutputChunk | undefined): string[] =>
                chunk === undefined || chunk.isEntry
                    ? []
                    : [
                          ...(chunk.viteMetadata?.importedCss ?? []),
                          chunk.fileName,
                          ...chunk.imports.flatMap((name) =>
                              needs(chunks.find((other) => other.fileName === name)),
                          ),
                      ];
            const of = (module: string): string[] =>
                needs(chunks.find((chunk) => chunk.moduleIds.includes(module)));
            const pages = wanted(join(src, 'features')).map(({ path, page, texts }) => ({
                path: path.replace(/\$\w+/g, '*'),
                files: [...new Set(of(page))],
                texts: { en: of(join(texts, 'en.json')), es: of(join(texts, 'es.json')) },
            }));
            const lost = pages.filter(({ files }) => files.length === 0);
            if (pages.length === 0 || lost.length > 0)
                this.error(`no chunk is known of the pages ${lost.map(({ path }) => path).join(', ')}`);
            const file = join(options.dir ?? '', 'theme.js');
            writeFileSync(file, readFileSync(file, 'utf8').replace('/* pages */ []', JSON.stringify(pages)));
        },
    };
}
