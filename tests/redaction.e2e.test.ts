import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { users } from '../db/schema/tables.ts';
import { scopeSchema } from '../protocol/scopes.ts';
import { rawRequest } from './support/raw-http.ts';
import { openRawSocket } from './support/raw-socket.ts';
import { startWorld, type World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld('redaction');
});
afterAll(() => world?.close());

it('what a deactivated user wrote is deleted everywhere: on sockets, in history and search, also where they have left; and nothing of others', async () => {
  const [admin, troll] = [await world.user('alice', { scopes: scopeSchema.options }), await world.user('troll')];
  await world.db.update(users).set({ role: 'admin' }).where(eq(users.id, admin.id));
  const channels = [await world.channel('stays', [admin, troll]), await world.channel('left', [admin, troll])];
  const [first = '', second = ''] = channels;
  const root = await admin.api.send(first, { client_msg_id: 'root', text: 'zebra of the admin' });
  for (let n = 0; n < 3; n++) for (const channel of channels) await troll.api.send(channel, { client_msg_id: `${n}`, text: `zebra ${n}` });
  await troll.api.send(first, { client_msg_id: 'reply', text: 'zebra reply', thread_id: root.message_id });
  await troll.api.leave(second);
  await expect.poll(async () => (await admin.api.search({ q: 'zebra' })).data.length, { timeout: 15_000 }).toBe(8);

  const live = await openRawSocket(world.baseUrl, first, admin.token);
  const post = (path: string) => rawRequest(world.baseUrl, { method: 'POST', path: `/v1/admin/users/${troll.id}/${path}`, headers: { authorization: `Bearer ${admin.token}` } });
  expect([(await post('redact')).status, (await post('deactivate')).status, (await post('redact')).status]).toEqual([409, 204, 202]);

  await expect.poll(() => live.events().filter(({ type, actor_id }) => type === 'message.deleted' && actor_id === admin.id).length, { timeout: 15_000 }).toBe(4);
  await expect.poll(async () => (await admin.api.search({ q: 'zebra' })).data.map(({ message }) => message.text), { timeout: 15_000 }).toEqual(['zebra of the admin']);
  for (const channel of channels) {
    const told = (await admin.api.history(channel)).data.filter(({ author_id }) => author_id === troll.id);
    expect(told.map(({ text, deleted_at }) => text === '' && deleted_at !== null)).toEqual([true, true, true]);
  }
  live.socket.close();
});
