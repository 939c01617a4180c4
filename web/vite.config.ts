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
  },
});
