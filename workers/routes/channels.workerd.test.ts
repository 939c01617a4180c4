import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { describe, expect, it, vi } from 'vitest';
import { claimKey } from '../../db/queries/idempotency.ts';
import { bootstrapSchema, channelPageSchema, channelSchema, memberPageSchema, memberSchema } from '../../protocol/api.ts';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { soon } from '../../tests/support/soon.ts';
import { bodyOf, drained, expectProblem, newCaller, newChannel, onPostgres, send, type Caller } from '../api-fixture.ts';
import { bearer, liveEventsOf, INBOX_SOCKET, openSocket } from '../socket-fixture.ts';

const directoryEvents = async (key: string) => {
  const rows = await onPostgres((db) => db.execute<{ type: string; data: unknown; traceparent: string | null }>(sql`
    SELECT type, data, traceparent FROM event_log WHERE topic = 'channel.events' AND key = ${key} ORDER BY position`));
  return rows.map(({ type, data, traceparent }) => ({ type, traceparent, data: directoryEventSchema.parse(data) }));
};

const create = (caller: Caller, name: string, key?: string) =>
  caller.call('POST', '/v1/channels', { name }, key === undefined ? {} : { 'Idempotency-Key': key });

describe('channels', () => {
  it('are made with their owner, their log and their events in one go', async () => {
    const ada = await newCaller();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const made = await ada.call('POST', '/v1/channels', { name: `Ümlaut-${uuidv7()}`, kind: 'private', topic: 'τόπος' }, { traceparent });
    const channel = bodyOf(made, 201, channelSchema);
    expect(channel).toMatchObject({ kind: 'private', topic: 'τόπος', my_role: 'owner', version: 1, archived_at: null });
    expect(made.headers.get('location')).toBe(`/v1/channels/${channel.id}`);
    expect((await ada.call('GET', `/v1/channels/${channel.id}`)).body).toEqual(channel);
    expect(await directoryEvents(channel.id)).toMatchObject([
      { type: 'colink.channel.created.v1', traceparent, data: { actor_id: ada.user.id, channel: { id: channel.id } } },
      { type: 'colink.channel.member_added.v1', traceparent, data: { user_id: ada.user.id, role: 'owner', version: 1 } },
    ]);
    expect(await send(ada, channel.id, 'first')).toMatchObject({ pos: 1 });
  });

  it('bear a name once, whatever its case', async () => {
    const ada = await newCaller();
    const name = `Name-${uuidv7()}`;
    await create(ada, name);
    expectProblem(await create(ada, name.toUpperCase()), 'conflict');
  });

  it('G2: twenty concurrent creations with one key make one channel', async () => {
    const ada = await newCaller();
    const name = `c-${uuidv7()}`;
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(ada, name, 'key-1')));
    const made = answers.filter(({ status }) => status === 201);
    expect(made.filter(({ headers }) => !headers.has('idempotency-replayed'))).toHaveLength(1);
    expect(new Set(made.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    for (const running of answers.filter(({ status }) => status !== 201)) {
      expectProblem(running, 'idempotency_in_flight');
      expect(running.headers.get('retry-after')).toBe('1');
    }
    const again = await create(ada, name, '"key-1"');
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
    expect(JSON.stringify(again.body)).toBe(JSON.stringify(made[0]?.body));
  });

  it('G2: a key that has its answer gives it, though another repetition is under way', async () => {
    const ada = await newCaller();
    const name = `c-${uuidv7()}`;
    const made = await create(ada, name, 'k');
    const request = { user_id: ada.user.id, method: 'POST', route: '/v1/channels', key: 'k', fingerprint: new Uint8Array(32) };
    await onPostgres((db) =>
      db.transaction(async (tx) => {
        expect(await claimKey(tx, request, new Date())).toEqual({ state: 'mismatch' });
        const again = await create(ada, name, 'k');
        expect([again.status, again.headers.get('idempotency-replayed'), again.body]).toEqual([201, 'true', made.body]);
        expectProblem(await create(ada, `${name}-2`, 'k'), 'idempotency_mismatch');
      }),
    );
  });

  it('G2: a key is of one body, one user and one route; a refusal is not kept', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const [name, other] = [`c-${uuidv7()}`, `c-${uuidv7()}`];
    await create(ada, name, 'k');
    expectProblem(await create(ada, other, 'k'), 'idempotency_mismatch');
    expectProblem(await create(bob, name, 'k'), 'conflict');
    expect((await create(bob, other, 'k')).status).toBe(201);
    expectProblem(await create(bob, other, 'k k'), 'invalid');
  });

  it('are listed by name, page by page, as far as the caller may see them', async () => {
    const [ada, guest] = [await newCaller(), await newCaller({ role: 'guest' })];
    const hidden = await newChannel(ada, 'private');
    const shown = [await newChannel(ada), await newChannel(ada), await newChannel(ada)];
    const seen = async (caller: Caller) => {
      const names: string[] = [];
      let path: string | null = '/v1/channels?limit=2';
      while (path !== null) {
        const answer = await caller.call('GET', path);
        names.push(...bodyOf(answer, 200, channelPageSchema).data.map(({ name }) => name));
        path = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1] ?? null;
      }
      return names;
    };
    const names = await seen(ada);
    expect(new Set(names).size).toBe(names.length);
    expect(names.map((name) => name.toLowerCase())).toEqual(names.map((name) => name.toLowerCase()).toSorted());
    expect(names).toEqual(expect.arrayContaining([...shown, hidden].map(({ name }) => name)));
    expect(await seen(await newCaller())).not.toContain(hidden.name);
    expect(await seen(guest)).toEqual([]);
  });

  it('are no more to a guest than their own', async () => {
    const [ada, guest] = [await newCaller(), await newCaller({ role: 'guest' })];
    const channel = await newChannel(ada);
    expectProblem(await guest.call('GET', `/v1/channels/${channel.id}`), 'not_found');
    expectProblem(await guest.call('PUT', `/v1/channels/${channel.id}/members/me`), 'not_found');
    expectProblem(await create(guest, `c-${uuidv7()}`), 'forbidden');
    expect((await ada.call('POST', `/v1/channels/${channel.id}/members`, { user_id: guest.user.id })).status).toBe(201);
    expect((await guest.call('GET', `/v1/channels/${channel.id}`)).status).toBe(200);
  });
});

describe('a new channel', () => {
  const joinedBy = async (channelId: string) => {
    const [, added] = await directoryEvents(channelId);
    if (added?.data.type !== 'channel.member_added') throw new Error('nobody was added');
    return added.data;
  };

  it('is in its maker\'s inbox at once, on every device, and once: however often the request, or the notifier, repeats it (G2)', async () => {
    const ada = await newCaller();
    const devices = [await openSocket(INBOX_SOCKET, bearer(ada)), await openSocket(INBOX_SOCKET, bearer(ada))];
    const name = `c-${uuidv7()}`;
    const { id } = bodyOf(await create(ada, name, 'key-1'), 201, channelSchema);
    const seen = () => devices.map((device) => liveEventsOf(device).map(({ type, id: event }) => [type, event]));
    const { id: event_id, actor_id, role, version } = await joinedBy(id);
    const once = [['channel.joined', event_id]];
    await soon(() => expect(seen()).toEqual([once, once]));
    expect((await create(ada, name, 'key-1')).headers.get('idempotency-replayed')).toBe('true');
    const change = { event_id, channel_id: id, actor_id, role, version };
    expect(await env.INBOXES.getByName(ada.user.id).tell(ada.user.id, { changes: [change], notices: [], badges: [] })).toEqual({ status: 'told' });
    const other = await newChannel(ada);
    await soon(() => expect(seen()[0]).toHaveLength(2));
    const both = [...once, ['channel.joined', (await joinedBy(other.id)).id]];
    expect(seen()).toEqual([both, both]);
    for (const device of devices) device.close();
  });

  it('is made though its maker\'s inbox cannot be told', async () => {
    const ada = await newCaller();
    await runInDurableObject(env.INBOXES.getByName(ada.user.id), (instance) => {
      Object.assign(instance, { env: { ...env, POSTGRES: { connectionString: 'postgres://nobody:x@127.0.0.1:1/none' } } });
    });
    expect(await newChannel(ada)).toMatchObject({ my_role: 'owner' });
  });
});

describe('members', () => {
  it('join, are listed, and leave; what is done already is done again without effect (G2)', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id } = await newChannel(ada);
    const me = `/v1/channels/${id}/members/me`;
    const joined = bodyOf(await bob.call('PUT', me), 201, memberSchema);
    expect(joined).toMatchObject({ user: bob.user, role: 'member' });
    expect(bodyOf(await bob.call('PUT', me), 200, memberSchema)).toEqual(joined);
    expect(bodyOf(await ada.call('GET', `/v1/channels/${id}/members`), 200, memberPageSchema).data.map(({ user }) => user)).toEqual([ada.user, bob.user]);
    expect([(await bob.call('DELETE', me)).status, (await bob.call('DELETE', me)).status]).toEqual([204, 204]);
    expect((await directoryEvents(id)).map(({ type }) => type)).toEqual(
      ['channel.created', 'channel.member_added', 'channel.member_added', 'channel.member_removed'].map((type) => `colink.${type}.v1`),
    );
  });

  it('join by their own id, too, as members and where anybody may; in no other role', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const [open, hidden] = [await newChannel(ada), await newChannel(ada, 'private')];
    const join = (who: Caller, { id }: { id: string }, role?: string) => who.call('POST', `/v1/channels/${id}/members`, { user_id: who.user.id, role });
    expectProblem(await join(bob, open, 'admin'), 'forbidden');
    expect(bodyOf(await join(bob, open), 201, memberSchema)).toMatchObject({ user: bob.user, role: 'member' });
    expect(bodyOf(await join(bob, open), 200, memberSchema).role).toBe('member');
    expect(bodyOf(await join(ada, open), 200, memberSchema).role).toBe('owner');
    for (const channel of [open, hidden]) expectProblem(await join(await newCaller({ role: 'guest' }), channel), 'not_found');
    expectProblem(await join(bob, hidden), 'not_found');
  });

  it('G2: concurrent joins by one user are one join', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id } = await newChannel(ada);
    const answers = await Promise.all(Array.from({ length: 10 }, () => bob.call('PUT', `/v1/channels/${id}/members/me`)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array<number>(9).fill(200), 201]);
    expect(await directoryEvents(id)).toHaveLength(3);
  });

  it('G3: are announced in the channel\'s log, once, in the order of their changes', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id } = await newChannel(ada);
    await send(ada, id, 'opens the room');
    for (const method of ['PUT', 'PUT', 'DELETE', 'DELETE']) await bob.call(method, `/v1/channels/${id}/members/me`);
    await newCaller().then((carol) => carol.call('PUT', `/v1/channels/${id}/members/me`));
    await bob.call('DELETE', `/v1/channels/${id}/members/me`);
    await drained(id, (await send(ada, id, 'last')).seq ?? 0);
    const rows = await onPostgres((db) => db.execute<{ type: string }>(sql`
      SELECT data ->> 'type' AS type FROM event_log WHERE key = ${id} AND channel_seq IS NOT NULL ORDER BY channel_seq`));
    expect(rows.map(({ type }) => type)).toEqual(['message.created', 'member.added', 'member.removed', 'member.added', 'message.created']);
  });

  it('G5: who leaves or is removed can neither send nor read from then on', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id } = await newChannel(ada);
    for (const end of [() => bob.call('DELETE', `/v1/channels/${id}/members/me`), () => ada.call('DELETE', `/v1/channels/${id}/members/${bob.user.id}`)]) {
      await bob.call('PUT', `/v1/channels/${id}/members/me`);
      await send(bob, id, 'a member');
      expect((await end()).status).toBe(204);
      expectProblem(await bob.call('POST', `/v1/channels/${id}/messages`, { client_msg_id: uuidv7(), text: 'no member' }), 'not_a_member');
      expectProblem(await bob.call('GET', `/v1/channels/${id}/messages`), 'not_a_member');
    }
  });

  it('G5: a private channel is unknown to all but its members, and filled by its owner', async () => {
    const [ada, bob, carol] = [await newCaller(), await newCaller(), await newCaller()];
    const { id } = await newChannel(ada, 'private');
    const channel = `/v1/channels/${id}`;
    const attempts: [string, string, object?][] = [
      ['GET', channel], ['GET', `${channel}/members`], ['PUT', `${channel}/members/me`], ['DELETE', `${channel}/members/me`],
      ['POST', `${channel}/members`, { user_id: bob.user.id }], ['DELETE', `${channel}/members/${ada.user.id}`],
      ['GET', `${channel}/messages`], ['POST', `${channel}/messages`, { client_msg_id: 'x', text: 'x' }], ['PUT', `${channel}/read-state`, { read_pos: 1 }],
    ];
    for (const [method, path, body] of attempts) expectProblem(await bob.call(method, path, body), 'not_found');
    expect((await ada.call('POST', `${channel}/members`, { user_id: bob.user.id })).status).toBe(201);
    await send(bob, id, 'welcome');
    expectProblem(await bob.call('POST', `${channel}/members`, { user_id: carol.user.id }), 'forbidden');
    expectProblem(await ada.call('POST', `${channel}/members`, { user_id: uuidv7() }), 'invalid');
    expect((await bob.call('DELETE', `${channel}/members/me`)).status).toBe(204);
    expectProblem(await bob.call('DELETE', `${channel}/members/me`), 'not_found');
  });
});

describe('bootstrap and read state', () => {
  it('gives the caller\'s channels with unread counts of one snapshot; markers never go down', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id } = await newChannel(ada);
    await bob.call('PUT', `/v1/channels/${id}/members/me`);
    await send(ada, id, 'one');
    const { seq } = await send(ada, id, 'two');
    await drained(id, seq ?? 0);
    const mark = async (read_pos: number) => (await bob.call('PUT', `/v1/channels/${id}/read-state`, { read_pos })).body;
    expect([await mark(1), await mark(0)]).toEqual([{ read_pos: 1 }, { read_pos: 1 }]);
    const paint = async () => bodyOf(await bob.call('GET', '/v1/bootstrap'), 200, bootstrapSchema);
    const { me, channels, users } = await vi.waitFor(async () => {
      const painted = await paint();
      expect(painted.channels[0]?.read_pos).toBe(1);
      return painted;
    }, 5_000);
    expect(me).toEqual(bob.user);
    expect(channels).toMatchObject([{ id, my_role: 'member', last_pos: 2, read_pos: 1, as_of_seq: seq }]);
    expect(users.map((user) => user.id).toSorted()).toEqual([ada.user.id, bob.user.id].toSorted());
    expectProblem(await (await newCaller()).call('PUT', `/v1/channels/${id}/read-state`, { read_pos: 1 }), 'not_a_member');
  });

  it('has what was said before the caller joined as read', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id } = await newChannel(ada);
    const { seq } = await send(ada, id, `@${bob.user.handle} is not here`);
    await drained(id, seq ?? 0);
    await bob.call('PUT', `/v1/channels/${id}/members/me`);
    const mine = async () => bodyOf(await bob.call('GET', '/v1/bootstrap'), 200, bootstrapSchema).channels.find((channel) => channel.id === id);
    expect(await mine()).toMatchObject({ last_pos: 1, read_pos: 1 });
    const later = await send(ada, id, 'now he is');
    await drained(id, later.seq ?? 0);
    expect(await mine()).toMatchObject({ last_pos: 2, read_pos: 1 });
  });

  it('shows profiles', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    expect((await ada.call('GET', `/v1/users/${bob.user.id}`)).body).toMatchObject(bob.user);
  });
});
