import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { soleOwner } from '../ports.ts';
import { UnsentMessages } from '../unsent.ts';
import { fileStore } from './file.ts';

/** Puts a message into its outbox after the other, saying which is in the store, and never ends by itself. */
const PROGRAM = `
  import { fileStore } from ${JSON.stringify(new URL('file.ts', import.meta.url).href)};
  import { UnsentMessages } from ${JSON.stringify(new URL('../unsent.ts', import.meta.url).href)};
  const store = fileStore(process.argv[1]);
  const told = { ...store, set: async (key, value) => { await store.set(key, value); console.log(JSON.parse(value).client_msg_id); } };
  const unsent = new UnsentMessages({ store: told, prefix: 'c.', owner: { id: '', inherit: (_, take) => take() } });
  for (let n = 1; ; n += 1) {
    unsent.keep({ client_msg_id: String(n), text: 'x'.repeat(5_000), thread_id: null, queued_at: n });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }`;

it('G1, G2: what a program had kept before kill -9 is whole, in order and under its ids in the next run', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'colink-outbox-'));
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, directory]);
  let said = '';
  child.stdout.on('data', (data) => {
    said += data;
    if (said.split('\n').length > 20) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.once('close', resolve));
  const ids = said.trim().split('\n');
  const found = await new UnsentMessages({ store: fileStore(directory), prefix: 'c.', owner: soleOwner }).inherit(10_000);
  expect(ids.length).toBeGreaterThanOrEqual(20);
  expect(found.map(({ client_msg_id }) => client_msg_id).slice(0, ids.length)).toEqual(ids);
  expect(new Set(found.map(({ text }) => text.length))).toEqual(new Set([5_000]));
});
