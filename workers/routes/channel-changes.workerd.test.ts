import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Channel, channelSchema } from '../../protocol/api.ts';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { soon } from '../../tests/support/soon.ts';
import { bodyOf, type Caller, expectProblem, newCaller, newChannel, onPostgres } from '../api-fixture.ts';
import { bearer, channelSocket, liveEventsOf, openSocket } from '../socket-fixture.ts';

let ada: Caller;
let bob: Caller;
let channel: Channel;
let path: string;
beforeEach(async () => {
  [ada, bob] = [await newCaller(), await newCaller()];
  channel = await newChannel(ada);
  path = `/v1/channels/${channel.id}`;
  await bob.call('PUT', `${path}/members/me`);
});

const change = (by: Caller, body: object, match: string | null = '"1"', more: Record<string, string> = {}) =>
  by.call('PATCH', path, body, { ...(match !== null && { 'If-Match': match }), ...more });
const updates = async () => {
  const rows = await onPostgres((db) => db.execute<{ data: unknown }>(sql`SELECT data FROM event_log WHERE key = ${channel.id} AND type = 'colink.channel.updated.v1' ORDER BY position`));
  return rows.map(({ data }) => directoryEventSchema.parse(data));
};

describe('a change of a channel', () => {
  it('takes what is named and leaves the rest; the outbox and whoever is live are told once, under one id (G2)', async () => {
    const socket = await openSocket(channelSocket(channel.id), bearer(bob));
    const [name, key] = [`Neu-${uuidv7()}`, { 'Idempotency-Key': 'k' }];
    const changed = bodyOf(await change(ada, { name, purpose: 'τέλος' }, '"1"', key), 200, channelSchema);
    expect(changed).toEqual({ ...channel, name, purpose: 'τέλος', version: 2 });
    expect((await change(ada, { name, purpose: 'τέλος' }, '"1"', key)).headers.get('idempotency-replayed')).toBe('true');
    const again = await change(ada, { topic: 'now' }, 'W/"2.owner"');
    expect([again.headers.get('etag'), again.body]).toEqual(['"3.owner"', { ...changed, topic: 'now', version: 3 }]);
    expect(bodyOf(await change(ada, { topic: 'now' }, '"3"'), 200, channelSchema).version).toBe(3);

    const [first, second, ...more] = await updates();
    expect([first, second, more]).toMatchObject([{ actor_id: ada.user.id, channel: { name, topic: '', purpose: 'τέλος' }, archived: false, version: 2 }, { channel: { topic: 'now' }, version: 3 }, []]);
    await soon(() => expect(liveEventsOf(socket).filter(({ type }) => type === 'channel.changed')).toMatchObject([
      { id: first?.id, actor_id: ada.user.id, name, topic: '', purpose: 'τέλος', archived_at: null, version: 2 }, { id: second?.id, topic: 'now', version: 3 },
    ]));
    socket.close();
  });

  it('is for owners and admins of the channel, and for administrators where it is public; who may not know of it learns nothing (G5)', async () => {
    const [admin, guest, outsider] = [await newCaller({ role: 'admin' }), await newCaller({ role: 'guest' }), await newCaller()];
    for (const caller of [bob, outsider]) expectProblem(await change(caller, { topic: 'x' }), 'forbidden');
    expectProblem(await change(guest, { topic: 'x' }), 'not_found');
    await ada.call('POST', `${path}/members`, { user_id: guest.user.id, role: 'admin' });
    expectProblem(await change(guest, { topic: 'x' }), 'forbidden');
    expect((await change(admin, { topic: 'by an administrator' })).status).toBe(200);
    channel = await newChannel(ada, 'private');
    path = `/v1/channels/${channel.id}`;
    for (const caller of [admin, outsider]) expectProblem(await change(caller, { topic: 'x' }), 'not_found');
  });

  it('is refused without a version, with another one, with a name that is taken, and once the channel is archived', async () => {
    const other = await newChannel(ada);
    expectProblem(await change(ada, { topic: 'x' }, null), 'precondition_required');
    for (const match of ['"0"', '"2"']) expectProblem(await change(ada, { topic: 'x' }, match), 'precondition_failed');
    for (const match of ['1', 'w/"1"', '*', '"1", "2"']) expectProblem(await change(ada, { topic: 'x' }, match), 'invalid');
    expectProblem(await change(ada, { name: other.name.toUpperCase() }), 'conflict');
    for (const body of [{ name: '' }, { name: 'a b' }, { topic: null }, { kind: 'direct' }, { purpose: 'x'.repeat(251) }, { topic: 'a\u0000' }]) expectProblem(await change(ada, body), 'invalid');
    expect(bodyOf(await ada.call('GET', path), 200, channelSchema)).toEqual(channel);
    await ada.call('POST', `${path}/archive`);
    expectProblem(await change(ada, { topic: 'x' }, '"2"'), 'channel_archived');
    expect(await updates()).toHaveLength(1);
  });

  it('G2: of many at once with one version one is made', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => change(ada, { topic: `topic ${n}` })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array<number>(9).fill(412)]);
    expect(await updates()).toHaveLength(1);
  });

  it('of two that want one name at once one gets it', async () => {
    const [other, name] = [await newChannel(ada), `n-${uuidv7()}`];
    const answers = await Promise.all([change(ada, { name }), ada.call('PATCH', `/v1/channels/${other.id}`, { name: name.toUpperCase() }, { 'If-Match': '"1"' })]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
  });
});

describe('a channel that is read', () => {
  it('is not sent again to who has it, until it or their role is another', async () => {
    const known = (by: Caller, etag: string) => by.call('GET', path, undefined, { 'If-None-Match': etag });
    const etag = (await bob.call('GET', path)).headers.get('etag') ?? '';
    expect(etag).toBe('"1.member"');
    for (const one of [etag, `W/${etag}`, `"x", ${etag}`, '*']) expect(await known(bob, one)).toMatchObject({ status: 304, body: '' });
    expect((await known(ada, etag)).status).toBe(200);
    await ada.call('PATCH', `${path}/members/${bob.user.id}`, { role: 'admin' });
    expect((await known(bob, etag)).headers.get('etag')).toBe('"1.admin"');
    await change(bob, { topic: 'new' });
    expect(bodyOf(await known(bob, '"1.admin"'), 200, channelSchema)).toMatchObject({ topic: 'new', my_role: 'admin' });
    await ada.call('DELETE', `${path}/members/${bob.user.id}`);
    expect((await known(bob, '"2.admin"')).headers.get('etag')).toBe('"2.none"');
  });
});

describe('owners', () => {
  it('are removed by owners alone, and the last one leaves last, or makes another first', async () => {
    await ada.call('PATCH', `${path}/members/${bob.user.id}`, { role: 'admin' });
    expectProblem(await bob.call('DELETE', `${path}/members/${ada.user.id}`), 'forbidden');
    expectProblem(await ada.call('DELETE', `${path}/members/me`), 'conflict');
    await ada.call('PATCH', `${path}/members/${bob.user.id}`, { role: 'owner' });
    expect((await ada.call('DELETE', `${path}/members/me`)).status).toBe(204);
    expect((await bob.call('DELETE', `${path}/members/me`)).status).toBe(204);
  });

  it('of two that leave at once one stays', async () => {
    await newCaller().then((carol) => carol.call('PUT', `${path}/members/me`));
    await ada.call('PATCH', `${path}/members/${bob.user.id}`, { role: 'owner' });
    const answers = await Promise.all([ada, bob].map((caller) => caller.call('DELETE', `${path}/members/me`)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 409]);
  });

  it('may be made by an administrator, where the channel is public', async () => {
    const admin = await newCaller({ role: 'admin' });
    expect((await admin.call('PATCH', `${path}/members/${bob.user.id}`, { role: 'owner' })).status).toBe(200);
    expect((await admin.call('DELETE', `${path}/members/${ada.user.id}`)).status).toBe(204);
  });
});
