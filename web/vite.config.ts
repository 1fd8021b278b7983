/// <reference types="vitest/config" />
import react from '@vitejs/plugin-react';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { boot } from './scripts/boot';

const service = process.env.CAUDAL_URL ?? 'http://127.0.0.1:3001';
const src = fileURLToPath(new URL('src', import.meta.url));

export default defineConfig({
    plugins: [react(), boot(src)],
    resolve: { alias: { '@': src } },
    server: {
        port: 5173,
        proxy: {
            '/api': service,
            '/webhooks': service,
            '/ws': { target: service, ws: true },
        },
    },
    build: {
        outDir: process.env.WEB_OUT ?? '../build/web',
        emptyOutDir: true,
        target: 'es2022',
        assetsInlineLimit: 0, // the Content-Security-Policy knows no data: scripts or styles
        modulePreload: { polyfill: false },
        chunkSizeWarningLimit: 700,
        rollupOptions: {
            output: {
                // What several pages share and is small would be a request for each of them.
                manualChunks: (id) =>
                    /node_modules\/(lucide-react|@tanstack|@base-ui\/(utils|react\/(internals|utils|use-button)))\//.test(
                        id,
                    )
                        ? 'shared'
                        : undefined,
            },
        },
    },
    test: {
        environment: 'jsdom',
        include: ['src/**/*.test.{ts,tsx}'],
        setupFiles: ['src/test-setup.ts'],
    },
});
