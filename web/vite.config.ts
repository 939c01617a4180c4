import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2024',
    outDir: 'dist',
    emptyOutDir: true,
    sourcemap: false,
    // The page's policy is `default-src 'self'`: nothing may become a data: address, and Vite's preload helper is not needed.
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: {
      input: { main: fileURLToPath(new URL('index.html', import.meta.url)), 'push-worker': fileURLToPath(new URL('push-worker.ts', import.meta.url)) },
      // Browsers look for a service worker where it was, and it leads pages below its own folder.
      output: { entryFileNames: ({ name }) => (name === 'push-worker' ? 'push-worker.js' : 'assets/[name]-[hash].js') },
    },
  },
});
