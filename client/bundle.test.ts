import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { expect, it } from 'vitest';

const MAX_BYTES = 13_000;

it('G8: the client is at most 13 kB compressed, and brings nothing but itself', async () => {
  const entry = ['channel-session', 'inbox-session', 'http', 'browser', 'stores/indexed-db'].map((name) => fileURLToPath(new URL(`${name}.ts`, import.meta.url)));
  // As a page's bundler makes it: a library build would leave white space in.
  const built = await build({ configFile: false, logLevel: 'silent', build: { write: false, minify: true, modulePreload: false, rolldownOptions: { input: entry, preserveEntrySignatures: 'strict' } } });
  const output = (Array.isArray(built) ? built : [built]).flatMap((one) => ('output' in one ? one.output : []));
  const code = output.map((file) => (file.type === 'chunk' ? file.code : '')).join('');
  expect(code).toContain('welcome');
  expect(code).not.toMatch(/from"(?!\.)|ZodError/);
  expect(gzipSync(code).length).toBeLessThanOrEqual(MAX_BYTES);
});
