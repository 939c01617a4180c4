import { sql } from 'drizzle-orm';
import { beforeAll, expect, it } from 'vitest';
import { bootstrapSchema, readStateSchema } from '../../protocol/api.ts';
import { bodyOf, drained, expectProblem, newCaller, newChannel, onPostgres, send, type Caller } from '../api-fixture.ts';

let ada: Caller;
let bob: Caller;
let id: string;
beforeAll(async () => {
  [ada, bob] = [await newCaller(), await newCaller()];
  ({ id } = await newChannel(ada));
  await bob.call('PUT', `/v1/channels/${id}/members/me`);
});

it('a channel is marked as unread from a message on; what was read before does not undo it, and Postgres has it (G2, G6)', async () => {
  for (const text of ['one', 'two', 'three']) await send(bob, id, text);
  await drained(id, 3);
  const read = async (body: object) => bodyOf(await ada.call('PUT', `/v1/channels/${id}/read-state`, body), 200, readStateSchema);
  const markUnread = async (body: object) => bodyOf(await ada.call('POST', `/v1/channels/${id}/mark-unread`, body), 200, readStateSchema);
  expect(await read({ read_pos: 3 })).toEqual({ read_pos: 3 });
  expect([await markUnread({ pos: 2 }), await markUnread({ pos: 2 })]).toEqual(Array.from({ length: 2 }, () => ({ read_pos: 1, generation: 1 })));
  expect(await read({ read_pos: 3, generation: 0 })).toEqual({ read_pos: 1, generation: 1 });
  const stored = () => onPostgres((db) => db.execute<{ read_pos: number; generation: number }>(sql`
    SELECT r.read_pos::int AS read_pos, r.generation::int AS generation FROM read_states r WHERE r.user_id = ${ada.user.id} AND r.channel_id = ${id}`));
  await expect.poll(async () => [...(await stored())], { timeout: 10_000 }).toEqual([{ read_pos: 1, generation: 1 }]);
  const { channels } = bodyOf(await ada.call('GET', '/v1/bootstrap'), 200, bootstrapSchema);
  expect(channels.find((channel) => channel.id === id)).toMatchObject({ last_pos: 3, read_pos: 1, read_generation: 1 });
  expect(await read({ read_pos: 2 })).toEqual({ read_pos: 2, generation: 1 });
});

it('marking as unread is for members, and from a message on (G5)', async () => {
  expectProblem(await (await newCaller()).call('POST', `/v1/channels/${id}/mark-unread`, { pos: 1 }), 'not_a_member');
  for (const body of [{ pos: 0 }, { pos: 1.5 }, {}, { pos: 1, generation: -1 }]) expectProblem(await ada.call('POST', `/v1/channels/${id}/mark-unread`, body), 'invalid');
});
