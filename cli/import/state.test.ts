import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadLine, saveState, statePath } from './state.ts';

const identity = '0123456789abcdef';
const channelId = '01930000-0000-7000-8000-000000000001';
let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colink-import-'));
  path = statePath(join(folder, 'made'), identity, channelId);
});
afterEach(() => rm(folder, { recursive: true }));

test('an import goes on behind the last acknowledged line', async () => {
  await saveState(path, { identity, channel_id: channelId, line: 400 });
  await saveState(path, { identity, channel_id: channelId, line: 600 });
  expect(await loadLine(path, identity, channelId)).toBe(600);
});

test('without a state, with a torn one or with another import\'s it starts at the first line', async () => {
  expect(await loadLine(path, identity, channelId)).toBe(0);
  await saveState(path, { identity, channel_id: channelId, line: 400 });
  expect(await loadLine(path, 'fedcba9876543210', channelId)).toBe(0);
  await writeFile(path, '{"identity":"0123');
  expect(await loadLine(path, identity, channelId)).toBe(0);
  await writeFile(path, '{"identity":"0123456789abcdef","line":-1}');
  expect(await loadLine(path, identity, channelId)).toBe(0);
});
