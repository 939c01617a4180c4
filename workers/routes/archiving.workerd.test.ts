import { abortAllDurableObjects, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import { channelSchema } from '../../protocol/api.ts';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { soon } from '../../tests/support/soon.ts';
import { bodyOf, type Caller, expectProblem, newCaller, newChannel, onPostgres, send } from '../api-fixture.ts';
import { bearer, channelSocket, liveEventsOf, openSocket } from '../socket-fixture.ts';

let ada: Caller;
let bob: Caller;
let channel: string;
beforeEach(async () => {
  [ada, bob] = [await newCaller(), await newCaller()];
  ({ id: channel } = await newChannel(ada));
  await bob.call('PUT', `/v1/channels/${channel}/members/me`);
});

const archive = (by: Caller, how: 'archive' | 'unarchive' = 'archive', key?: string) =>
  by.call('POST', `/v1/channels/${channel}/${how}`, undefined, key === undefined ? {} : { 'Idempotency-Key': key });
const sending = (by: Caller) => by.call('POST', `/v1/channels/${channel}/messages`, { client_msg_id: uuidv7(), text: 'x' });
const updates = async () => {
  const rows = await onPostgres((db) => db.execute<{ data: unknown }>(sql`SELECT data FROM event_log WHERE key = ${channel} AND type = 'colink.channel.updated.v1' ORDER BY position`));
  return rows.map(({ data }) => directoryEventSchema.parse(data));
};
const rename = (from: string, to: string) =>
  runInDurableObject(env.ROOMS.getByName(channel), (_, state) => void state.storage.sql.exec(`ALTER TABLE ${from} RENAME TO ${to}`));

describe('archiving', () => {
  it('closes a channel, live sockets included, before it returns, and opens it again; both are told in the outbox once (G2)', async () => {
    const socket = await openSocket(channelSocket(channel), bearer(bob));
    const { message_id } = await send(bob, channel, 'before');
    for (let n = 0; n < 2; n++) expect(bodyOf(await archive(ada), 200, channelSchema)).toMatchObject({ id: channel, archived_at: expect.any(String), version: 2 });
    socket.send({ type: 'send', id: 's', client_msg_id: 's', text: 'late' });
    expect(await socket.answer('s')).toBe('channel_archived');
    expectProblem(await sending(bob), 'channel_archived');
    expectProblem(await bob.call('PATCH', `/v1/channels/${channel}/messages/${message_id}`, { text: 'y' }), 'channel_archived');
    expect((await bob.call('GET', `/v1/channels/${channel}/messages`)).status).toBe(200);
    expect(bodyOf(await archive(ada, 'unarchive'), 200, channelSchema)).toMatchObject({ archived_at: null, version: 3 });
    expect((await sending(bob)).status).toBe(201);
    const told = await updates();
    expect(told).toMatchObject([{ actor_id: ada.user.id, archived: true, version: 2 }, { archived: false, version: 3 }]);
    await soon(() => expect(liveEventsOf(socket).filter(({ type }) => type === 'channel.changed')).toMatchObject([
      { id: told[0]?.id, actor_id: ada.user.id, archived_at: expect.any(String), version: 2 }, { id: told[1]?.id, archived_at: null, version: 3 },
    ]));
    socket.close();
  });

  it('is for owners and admins of the channel; who may not know of it learns nothing (G5)', async () => {
    expectProblem(await archive(bob), 'forbidden');
    expectProblem(await archive(await newCaller()), 'forbidden');
    expectProblem(await archive(await newCaller({ role: 'guest' })), 'not_found');
    expect((await sending(bob)).status).toBe(201);
  });

  it('does not close #general, which whoever is new joins; under another name it does, and one of before opens again', async () => {
    // Others of this database may have made one.
    const call = (name: string) => onPostgres((db) => db.execute(sql`UPDATE channels SET name = ${name} WHERE id = ${channel}`));
    await onPostgres((db) => db.execute(sql`UPDATE channels SET name = id::text WHERE lower(name) = 'general'`));
    await call('General');
    expectProblem(await archive(ada), 'conflict');
    expect((await sending(bob)).status).toBe(201);
    await call(channel);
    expect((await archive(ada)).status).toBe(200);
    await call('general');
    expect((await archive(ada)).status).toBe(200);
    expect(bodyOf(await archive(ada, 'unarchive'), 200, channelSchema).archived_at).toBeNull();
    await call(channel);
  });

  it('that the room could not be told of is 503, and heals by its repetition, or by what the fleet announces', async () => {
    await send(ada, channel, 'opens the room');
    await rename('standing', 'broken');
    expectProblem(await archive(ada, 'archive', 'key'), 'unavailable');
    await rename('broken', 'standing');
    expect((await sending(bob)).status).toBe(201);
    await env.ROOMS.getByName(channel).announce(channel, { changes: [], revoked: [], channel: { archived: true, version: 2 } });
    expectProblem(await sending(bob), 'channel_archived');
    expect((await archive(ada, 'archive', 'key')).headers.get('idempotency-replayed')).toBe('true');
  });

  it('is known to a room that opens later, or has lost its storage', async () => {
    await archive(ada);
    await runInDurableObject(env.ROOMS.getByName(channel), (_, state) => state.storage.deleteAll());
    await abortAllDurableObjects();
    expectProblem(await sending(bob), 'channel_archived');
  });
});
