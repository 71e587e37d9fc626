import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const OUT = '../orchestrator_service/web_dist';
const API = process.env.ORCHESTRATOR_URL ?? 'http://127.0.0.1:8000';

/** Puts a .gz and a .br beside every text file, so that nothing is compressed while serving. */
function compressed(): Plugin {
  const pack = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) {
        pack(path);
      } else if (/\.(js|css|html|svg|json)$/.test(name)) {
        const content = readFileSync(path);
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
        writeFileSync(`${path}.br`, brotliCompressSync(content));
      }
    }
  };
  return { name: 'compressed', apply: 'build', closeBundle: () => pack(OUT) };
}

export default defineConfig({
  plugins: [react(), compressed()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    assetsDir: 'ui',
    assetsInlineLimit: 0,
    target: 'es2022',
    chunkSizeWarningLimit: 700,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        chunkFileNames: ({ name }) => `ui/${name.split('~', 1)[0]}-[hash].js`,
        // What the same pages share comes in one file, not in dozens: each request costs more than its few bytes.
        codeSplitting: {
          groups: [
            { name: 'common', minShareCount: 9, priority: 2 },
            { name: 'shared', minShareCount: 2, entriesAware: true, entriesAwareMergeThreshold: 10_000 },
          ],
        },
      },
    },
  },
  server: {
    proxy: {
      '/api': { target: API, ws: true },
      '/health': API,
      '/ready': API,
      '/v1': API,
    },
  },
});
