import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { users } from '../db/schema/tables.ts';
import { openRawSocket } from '../tests/support/raw-socket.ts';
import { startWorld, type World } from '../tests/support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld('announce-restart');
});
afterAll(() => world?.close());

const announce = (token: string) =>
  promisify(execFile)(process.execPath, [join(import.meta.dirname, 'main.ts'), 'announce-restart', '--within', '30s', '--url', world.baseUrl, '--token', token]);

it('asks every live socket to come back, in the name of an administrator and of nobody else', async () => {
  const [alice, bob] = [await world.user('alice'), await world.user('bob')];
  await world.db.update(users).set({ role: 'admin' }).where(eq(users.id, alice.id));
  const channel = await world.channel('live', [alice, bob]);
  const socket = await openRawSocket(world.baseUrl, channel, bob.token);
  await expect(announce(bob.token)).rejects.toThrow('The caller may not do this');
  await expect.poll(async () => (await announce(alice.token)).stdout, { timeout: 20_000, interval: 1_000 }).toMatch(/^1 sockets of 1 channels and inboxes come back within 30 s; 0 could not be reached/);
  await expect.poll(() => socket.frames.at(-1)).toEqual({ type: 'reconnect', within_ms: 30_000 });
  socket.socket.close();
});
