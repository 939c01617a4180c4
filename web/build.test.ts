import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { type Rolldown, build, mergeConfig } from 'vite';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import config from './vite.config.ts';

const MAX_SCRIPT_BYTES = 60 * 1024;
const folder = fileURLToPath(new URL('.', import.meta.url));
let files: readonly (Rolldown.OutputChunk | Rolldown.OutputAsset)[];

const contents = (ending: string): string[] =>
  files.filter(({ fileName }) => fileName.endsWith(ending)).map((file) => (file.type === 'chunk' ? file.code : String(file.source)));

describe('the built page', () => {
  beforeAll(async () => {
    // As it is shipped: for tests the compiler notes with each element where in the sources it is.
    vi.stubEnv('NODE_ENV', 'production');
    const built = await build(mergeConfig(config, { root: folder, configFile: false, build: { write: false }, logLevel: 'silent' }));
    files = 'output' in built ? built.output : [];
  });

  it('G8: brings at most 60 kB of scripts, compressed', () => {
    const scripts = contents('.js');
    expect(scripts.length).toBeGreaterThan(0);
    expect(scripts.reduce((sum, code) => sum + gzipSync(code).length, 0)).toBeLessThanOrEqual(MAX_SCRIPT_BYTES);
  });

  it('works under `default-src self`: no script, style or address within the page', () => {
    const [html = ''] = contents('.html');
    expect(html).toContain('<script type="module"');
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|https?:|data:/i);
    expect([...contents('.js'), ...contents('.css')].join('')).not.toMatch(/url\(|@import|new Function|\beval\(/);
  });

  it('bundles no schemas', () => {
    expect(contents('.js').join('')).not.toMatch(/ZodError|invalid_type/);
  });
});
