import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { findGeneralChannel } from '../../db/queries/channels.ts';
import { type Channel, channelSchema } from '../../protocol/api.ts';
import { auditPageSchema } from '../../protocol/audit.ts';
import { type ErrorCode, problemSchema } from '../../protocol/errors.ts';
import { soon } from '../../tests/support/soon.ts';
import { type Answer, bodyOf, type Caller, drained, expectProblem, newCaller, newChannel, onPostgres, send } from '../api-fixture.ts';
import { bearer, channelSocket, eventsOf, openSocket } from '../socket-fixture.ts';

type Kind = Channel['kind'];

let ada: Caller;
let bob: Caller;
let eve: Caller;
let channel: Channel;
beforeEach(async () => {
  [ada, bob, eve] = [await newCaller(), await newCaller(), await newCaller()];
});

const pathOf = ({ id }: Channel = channel): string => `/v1/channels/${id}`;
const make = (by: Caller, kind: Kind, version = 1, more: object = {}): Promise<Answer> => by.call('PATCH', pathOf(), { kind, ...more }, { 'If-Match': `"${version}"` });
const add = async (who: Caller, role: 'member' | 'admin'): Promise<Caller> => {
  expect((await ada.call('POST', `${pathOf()}/members`, { user_id: who.user.id, role })).status).toBe(201);
  return who;
};
const actsOn = async (id: string): Promise<string[]> => {
  const admin = await newCaller({ role: 'admin' });
  return bodyOf(await admin.call('GET', `/v1/admin/audit?target=${id}`), 200, auditPageSchema).data.map(({ act }) => act).toReversed();
};

/** Who asks, in a channel that ada owns. */
const CALLERS: Record<string, () => Promise<Caller>> = {
  owner: async () => ada,
  admin: async () => add(await newCaller(), 'admin'),
  member: async () => add(await newCaller(), 'member'),
  'guest who administers it': async () => add(await newCaller({ role: 'guest' }), 'admin'),
  'administrator who is a member': async () => add(await newCaller({ role: 'admin' }), 'member'),
  'moderator who is a member': async () => add(await newCaller({ role: 'moderator' }), 'member'),
  'administrator outside': () => newCaller({ role: 'admin' }),
  outsider: async () => eve,
  'guest outside': () => newCaller({ role: 'guest' }),
};
const MAY: Record<Kind, Record<string, 'yes' | ErrorCode>> = {
  private: {
    owner: 'yes', admin: 'yes', member: 'forbidden', 'guest who administers it': 'forbidden', 'administrator who is a member': 'yes', 'moderator who is a member': 'forbidden',
    'administrator outside': 'forbidden', outsider: 'forbidden', 'guest outside': 'not_found',
  },
  public: {
    owner: 'yes', admin: 'forbidden', member: 'forbidden', 'guest who administers it': 'forbidden', 'administrator who is a member': 'yes', 'moderator who is a member': 'forbidden',
    'administrator outside': 'not_found', outsider: 'not_found', 'guest outside': 'not_found',
  },
};

describe('#general, which whoever is new joins', () => {
  const generalOf = async () => onPostgres((db) => findGeneralChannel(db));

  it('is not made private, nor is a private channel called so, whatever the case; what is private under another name is', async () => {
    // Others of this database may have made one.
    await onPostgres((db) => db.execute(sql`UPDATE channels SET name = id::text WHERE lower(name) = 'general'`));
    expectProblem(await ada.call('POST', '/v1/channels', { name: 'General', kind: 'private' }), 'conflict');
    channel = await newChannel(ada, 'private');
    for (const name of ['general', 'GENERAL']) expectProblem(await ada.call('PATCH', pathOf(), { name }, { 'If-Match': '"1"' }), 'conflict');
    channel = await newChannel(ada);
    expect(bodyOf(await ada.call('PATCH', pathOf(), { name: 'General' }, { 'If-Match': '"1"' }), 200, channelSchema).kind).toBe('public');
    expectProblem(await make(ada, 'private', 2), 'conflict');
    expectProblem(await make(ada, 'private', 2, { name: 'GENERAL' }), 'conflict');
    expect([await generalOf(), await actsOn(channel.id)]).toEqual([channel.id, ['channel.updated']]);
    expect((await ada.call('PATCH', pathOf(), { topic: 'for all' }, { 'If-Match': '"2"' })).status).toBe(200);
    const name = `staff-${uuidv7()}`;
    expect(bodyOf(await make(ada, 'private', 3, { name }), 200, channelSchema)).toMatchObject({ name, kind: 'private' });
    expect(await generalOf()).toBeNull();
  });

  it('that was made private before goes on, and can be opened again', async () => {
    await onPostgres((db) => db.execute(sql`UPDATE channels SET name = id::text WHERE lower(name) = 'general'`));
    channel = await newChannel(ada, 'private');
    await onPostgres((db) => db.execute(sql`UPDATE channels SET name = 'general' WHERE id = ${channel.id}`));
    expect((await ada.call('PATCH', pathOf(), { topic: 'few' }, { 'If-Match': '"1"' })).status).toBe(200);
    expect((await make(ada, 'public', 2)).status).toBe(200);
    expect(await generalOf()).toBe(channel.id);
  });
});

describe.each(['private', 'public'] as const)('a channel is made %s', (kind) => {
  const before = kind === 'private' ? 'public' : 'private';

  it.each(Object.entries(MAY[kind]))('by the %s: %s', async (name, verdict) => {
    channel = await newChannel(ada, before);
    const caller = await (CALLERS[name] ?? (() => newCaller()))();
    const answer = await make(caller, kind);
    expect(answer.status === 200 ? 'yes' : problemSchema.parse(answer.body).code).toBe(verdict);
    expect(bodyOf(await ada.call('GET', pathOf()), 200, channelSchema)).toMatchObject(verdict === 'yes' ? { kind, version: 2 } : { kind: before, version: 1 });
    expect((await actsOn(channel.id)).filter((act) => act.startsWith('channel.'))).toEqual(verdict === 'yes' ? [`channel.made_${kind}`] : []);
  });

  it('only of the version that was seen, while it is open, and once (G2)', async () => {
    channel = await newChannel(ada, before);
    expectProblem(await ada.call('PATCH', pathOf(), { kind }), 'precondition_required');
    expectProblem(await make(ada, kind, 2), 'precondition_failed');
    for (const wrong of ['direct', 'secret', null, '']) expectProblem(await ada.call('PATCH', pathOf(), { kind: wrong }, { 'If-Match': '"1"' }), 'invalid');
    await ada.call('POST', `${pathOf()}/archive`);
    expectProblem(await make(ada, kind, 2), 'channel_archived');
    await ada.call('POST', `${pathOf()}/unarchive`);
    expect(bodyOf(await make(ada, before, 3), 200, channelSchema).version).toBe(3);
    const answers = await Promise.all(Array.from({ length: 6 }, () => make(ada, kind, 3)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412, 412, 412, 412, 412]);
    expect((await actsOn(channel.id)).filter((act) => act.includes('made'))).toEqual([`channel.made_${kind}`]);
  });

  it('and is told to who is live there, once, under the id of its event', async () => {
    channel = await newChannel(ada, before);
    await add(bob, 'member');
    const socket = await openSocket(channelSocket(channel.id), bearer(bob));
    const key = { 'If-Match': '"1"', 'Idempotency-Key': 'k' };
    for (const _ of [1, 2]) expect((await ada.call('PATCH', pathOf(), { kind, topic: 'new' }, key)).status).toBe(200);
    await soon(() => expect(eventsOf(socket).filter(({ type }) => type === 'channel.changed')).toMatchObject([{ kind, topic: 'new', name: channel.name, version: 2 }]));
    expect((await actsOn(channel.id)).filter((act) => act.startsWith('channel.'))).toEqual(['channel.updated', `channel.made_${kind}`]);
    socket.close();
  });
});

it('an administrator who is a mere member makes it public, but changes nothing else of it on the way', async () => {
  channel = await newChannel(ada, 'private');
  const admin = await add(await newCaller({ role: 'admin' }), 'member');
  expectProblem(await make(admin, 'public', 1, { name: `n-${uuidv7()}` }), 'forbidden');
  expect((await make(admin, 'public')).status).toBe(200);
});

it('a direct channel, of two or of more, stays what it is', async () => {
  for (const others of [[bob], [bob, eve]]) {
    const { id } = z.looseObject({ id: z.string() }).parse((await ada.call('POST', '/v1/direct-channels', { user_ids: others.map(({ user }) => user.id) })).body);
    for (const kind of ['public', 'private']) expectProblem(await ada.call('PATCH', `/v1/channels/${id}`, { kind }, { 'If-Match': '"1"' }), 'conflict');
    expectProblem(await (await newCaller({ role: 'admin' })).call('PATCH', `/v1/channels/${id}`, { kind: 'public' }, { 'If-Match': '"1"' }), 'not_found');
  }
});

describe('a channel that was made private (G5)', () => {
  beforeEach(async () => {
    channel = await newChannel(ada);
    await add(bob, 'member');
  });

  /** What somebody outside may ask of a public channel: after it was made private each is as of no channel. */
  const ASKED: readonly [string, string, object?][] = [
    ['GET', ''], ['GET', '/members'], ['PUT', '/members/me'], ['DELETE', '/members/me'], ['GET', '/messages'], ['POST', '/messages', { client_msg_id: 'x', text: 'x' }], ['GET', '/files'], ['GET', '/pins'],
    ['GET', '/notification-settings'], ['PUT', '/read-state', { read_pos: 1 }], ['GET', '/incoming-webhooks'], ['POST', '/archive'], ['POST', '/members', { user_id: uuidv7() }],
    ['POST', '/incoming-webhooks', { name: 'x' }], ['GET', '/socket'],
  ];

  it.each(ASKED)('tells who is outside what it tells of none: %s %s', async (method, path, body) => {
    await send(ada, channel.id, 'said in the open');
    for (const caller of [eve, await newCaller({ role: 'admin' }), await newCaller({ role: 'moderator' })]) {
      const ask = (of: string) => caller.call(method, of + path, body, path === '/socket' ? { Upgrade: 'websocket' } : {});
      // What was found out about them before is remembered by room and inbox; to join, or to act on it, is another thing.
      if (method === 'GET' || caller === eve && !path.startsWith('/members')) await ask(pathOf());
      expect((await make(ada, 'private')).status).toBe(200);
      const answers = await Promise.all([pathOf(), `/v1/channels/${uuidv7()}`].map(ask));
      expectProblem(answers[0] as Answer, 'not_found');
      const [hidden, none] = answers.map(({ status, body: said }) => ({ status, ...z.looseObject({}).parse(said), request_id: '' }));
      expect(hidden).toEqual(none);
      channel = await newChannel(ada);
    }
  });

  it('is in no list of others, while its members keep it, read on and write on', async () => {
    const before = await send(bob, channel.id, 'before');
    const listed = async (by: Caller) => JSON.stringify([(await by.call('GET', '/v1/channels?limit=100')).body, (await by.call('GET', '/v1/bootstrap')).body]);
    const firstPage = async (by: Caller) => (await by.call('GET', `/v1/channels/${channel.id}`)).status;
    expect(await firstPage(eve)).toBe(200);
    expect((await make(ada, 'private')).status).toBe(200);
    expect([await firstPage(eve), await firstPage(bob)]).toEqual([404, 200]);
    expect(await listed(eve)).not.toContain(channel.id);
    const { seq } = await send(bob, channel.id, 'after');
    await drained(channel.id, Math.max(seq ?? 0, before.seq ?? 0));
    expect(JSON.stringify((await bob.call('GET', `${pathOf()}/messages`)).body)).toMatch(/before.*after/);
    expect((await bob.call('GET', pathOf())).headers.get('etag')).toBe('"2.member"');
  });

  it('is left by an export of public channels that is under way, and not by one that asked for private ones', async () => {
    await drained(channel.id, (await send(ada, channel.id, `of ${channel.id}`)).seq ?? 0);
    const admin = await newCaller({ role: 'admin' });
    const begin = async (query: string): Promise<string> => {
      const text = z.string().parse((await admin.call('GET', `/v1/admin/export${query}`)).body);
      return /"section":"checkpoint".*?"cursor":"([^"]+)"/.exec(text)?.[1] ?? '';
    };
    const cursors = await Promise.all(['', '?include=private'].map(begin));
    const went = async (cursor: string) => z.string().parse((await admin.call('GET', `/v1/admin/export?after=${encodeURIComponent(cursor)}`)).body).includes(`of ${channel.id}`);
    expect(await Promise.all(cursors.map(went))).toEqual([true, true]);
    expect((await make(ada, 'private')).status).toBe(200);
    expect(await Promise.all(cursors.map(went))).toEqual([false, true]);
  });
});

describe('a channel that was made public', () => {
  it('is joined and read from its beginning by whoever wants to, but by no guest', async () => {
    channel = await newChannel(ada, 'private');
    await drained(channel.id, (await send(ada, channel.id, 'in confidence')).seq ?? 0);
    expectProblem(await eve.call('PUT', `${pathOf()}/members/me`), 'not_found');
    expect((await make(ada, 'public')).status).toBe(200);
    expectProblem(await eve.call('GET', `${pathOf()}/messages`), 'not_a_member');
    expectProblem(await eve.call('POST', `${pathOf()}/messages`, { client_msg_id: 'x', text: 'x' }), 'not_a_member');
    expect((await eve.call('PUT', `${pathOf()}/members/me`)).status).toBeLessThan(300);
    expect(JSON.stringify((await eve.call('GET', `${pathOf()}/messages`)).body)).toContain('in confidence');
    const guest = await newCaller({ role: 'guest' });
    for (const [method, path] of [['GET', ''], ['PUT', '/members/me'], ['GET', '/messages']] as const) expectProblem(await guest.call(method, pathOf() + path), 'not_found');
  });
});
