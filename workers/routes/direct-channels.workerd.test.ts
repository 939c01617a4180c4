import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import { bootstrapSchema, channelPageSchema, type DirectChannel, directChannelPageSchema, directChannelSchema, memberPageSchema } from '../../protocol/api.ts';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { soon } from '../../tests/support/soon.ts';
import { bodyOf, type Caller, drained, expectProblem, newCaller, newChannel, onPostgres, send } from '../api-fixture.ts';
import { bearer, channelSocket, liveEventsOf, INBOX_SOCKET, openSocket } from '../socket-fixture.ts';

const PATH = '/v1/direct-channels';
let ada: Caller;
let bob: Caller;
let carol: Caller;
beforeEach(async () => {
  [ada, bob, carol] = [await newCaller(), await newCaller(), await newCaller()];
});

const open = (by: Caller, ...others: readonly Caller[]) => by.call('POST', PATH, { user_ids: others.map(({ user }) => user.id) });
const opened = async (by: Caller, ...others: readonly Caller[]): Promise<DirectChannel> => directChannelSchema.parse((await open(by, ...others)).body);
const listed = async (by: Caller): Promise<string[]> => bodyOf(await by.call('GET', PATH), 200, directChannelPageSchema).data.map(({ id }) => id);
const idsOf = (...callers: readonly Caller[]): string[] => callers.map(({ user }) => user.id).toSorted();
const deactivate = (who: Caller) => onPostgres((db) => db.execute(sql`UPDATE users SET deactivated_at = now() WHERE id = ${who.user.id}`));

describe('a direct channel', () => {
  it('is one of each set of members, whoever asks, in whichever order, however often', async () => {
    const made = await open(ada, bob, carol);
    const channel = bodyOf(made, 201, directChannelSchema);
    expect(channel).toMatchObject({ kind: 'direct', user_ids: idsOf(ada, bob, carol) });
    expect(made.headers.get('location')).toBe(`/v1/channels/${channel.id}`);
    for (const [by, ...others] of [[ada, carol, bob], [bob, ada, carol, bob], [carol, bob, ada]] as const) expect(bodyOf(await open(by, ...others), 200, directChannelSchema)).toEqual(channel);
    expect((await ada.call('GET', `/v1/channels/${channel.id}`)).body).toEqual(channel);
    const pair = bodyOf(await open(ada, bob), 201, directChannelSchema);
    const notes = bodyOf(await open(ada), 201, directChannelSchema);
    expect([pair.user_ids, notes.user_ids]).toEqual([idsOf(ada, bob), idsOf(ada)]);
    expect(bodyOf(await open(ada, ada), 200, directChannelSchema)).toEqual(notes);
    expect((await send(ada, notes.id, 'a note')).pos).toBe(1);
  });

  it('G2: is one, though all its members open it at once, many times', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? open(ada, bob, carol) : open(bob, carol, ada))));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array<number>(7).fill(200), 201]);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    const key = { 'Idempotency-Key': 'k' };
    const again = [await ada.call('POST', PATH, { user_ids: [] }, key), await ada.call('POST', PATH, { user_ids: [] }, key)];
    expect(again.map(({ status, headers }) => [status, headers.get('idempotency-replayed')])).toEqual([[201, null], [201, 'true']]);
  });

  it('is made with its log and events in one go, and is in everybody\'s inbox at once', async () => {
    const inbox = await openSocket(INBOX_SOCKET, bearer(bob));
    const { id, user_ids } = await opened(ada, bob);
    const rows = await onPostgres((db) => db.execute<{ data: unknown }>(sql`SELECT data FROM event_log WHERE topic = 'channel.events' AND key = ${id} ORDER BY position`));
    const events = rows.map(({ data }) => directoryEventSchema.parse(data));
    expect(events).toMatchObject([
      { type: 'channel.created', actor_id: ada.user.id, channel: { id, kind: 'direct', user_ids } },
      { type: 'channel.member_added', user_id: user_ids[0], role: 'member', version: 1 }, { type: 'channel.member_added', user_id: user_ids[1], version: 2 },
    ]);
    const told = events.find((event) => event.type === 'channel.member_added' && event.user_id === bob.user.id);
    await soon(() => expect(liveEventsOf(inbox)).toMatchObject([{ type: 'channel.joined', id: told?.id, channel_id: id, actor_id: ada.user.id }]));
    inbox.close();
  });

  it('is for its members alone, an administrator no less; live, too (G5)', async () => {
    const [admin, { id }] = [await newCaller({ role: 'admin' }), await opened(ada, bob)];
    await send(ada, id, 'between us');
    for (const outsider of [admin, carol]) {
      for (const path of [`/v1/channels/${id}`, `/v1/channels/${id}/messages`, `/v1/channels/${id}/members`]) expectProblem(await outsider.call('GET', path), 'not_found');
      expectProblem(await outsider.call('POST', `/v1/channels/${id}/messages`, { client_msg_id: 'x', text: 'x' }), 'not_found');
      expectProblem(await outsider.call('PUT', `/v1/channels/${id}/members/me`), 'not_found');
      expectProblem(await outsider.call('DELETE', `${PATH}/${id}`), 'not_found');
      expect((await openSocket(channelSocket(id), bearer(outsider))).problem).toBe('not_found');
      expect(bodyOf(await outsider.call('GET', '/v1/channels'), 200, channelPageSchema).data.filter((channel) => channel.id === id)).toEqual([]);
      expect(await listed(outsider)).toEqual([]);
    }
    const live = await openSocket(channelSocket(id), bearer(bob));
    await send(ada, id, 'live');
    await soon(() => expect(liveEventsOf(live)).toMatchObject([{ type: 'message.created', text: 'live' }]));
    live.close();
  });

  it('keeps its members, has no name, and is never archived', async () => {
    const { id } = await opened(ada, bob);
    const channel = `/v1/channels/${id}`;
    const refused: [string, string, object?, Record<string, string>?][] = [
      ['DELETE', `${channel}/members/me`], ['DELETE', `${channel}/members/${bob.user.id}`], ['POST', `${channel}/members`, { user_id: carol.user.id }],
      ['PATCH', `${channel}/members/me`, { role: 'owner' }], ['POST', `${channel}/archive`], ['POST', `${channel}/unarchive`],
      ['PATCH', channel, { name: 'ours' }, { 'If-Match': '"1"' }],
    ];
    for (const [method, path, body, headers] of refused) expectProblem(await ada.call(method, path, body, headers), 'conflict');
    expect((await ada.call('PUT', `${channel}/members/me`)).status).toBe(200);
    expect(bodyOf(await ada.call('GET', `${channel}/members`), 200, memberPageSchema).data.map(({ user, role }) => [user.id, role])).toEqual(idsOf(ada, bob).map((user) => [user, 'member']));
  });

  it('is refused with too many, with nobody\'s id, and with who is deactivated; what there was before stays readable', async () => {
    const before = await opened(ada, bob);
    const { seq } = await send(bob, before.id, 'goodbye');
    await deactivate(bob);
    for (const body of [{}, { user_ids: ['x'] }, { user_ids: Array.from({ length: 10 }, uuidv7) }, { user_ids: [], name: 'x' }]) expectProblem(await ada.call('POST', PATH, body), 'invalid');
    const nine = await ada.call('POST', PATH, { user_ids: Array.from({ length: 9 }, uuidv7) });
    expect(nine.body).toMatchObject({ code: 'invalid', errors: [{ pointer: '/user_ids' }] });
    expect((await ada.call('POST', PATH, { user_ids: [carol.user.id, uuidv7()] })).body).toMatchObject({ code: 'invalid', errors: [{ pointer: '/user_ids/1' }] });
    expect((await open(ada, bob, carol)).body).toMatchObject({ code: 'invalid', errors: [{ pointer: '/user_ids/0' }] });
    expect(await opened(ada, bob)).toEqual(before);
    await drained(before.id, seq ?? 0);
    expect((await ada.call('GET', `/v1/channels/${before.id}/messages`)).body).toMatchObject({ data: [{ text: 'goodbye' }] });
  });
});

describe('the list of direct channels', () => {
  it('has a new one for who opened it, and for the others once there is a message', async () => {
    const { id } = await opened(ada, bob);
    expect([await listed(ada), await listed(bob)]).toEqual([[id], []]);
    const { seq } = await send(ada, id, 'hello');
    await drained(id, seq ?? 0);
    expect([await listed(ada), await listed(bob)]).toEqual([[id], [id]]);
    const painted = bodyOf(await bob.call('GET', '/v1/bootstrap'), 200, bootstrapSchema);
    expect(painted).toMatchObject({ channels: [], direct_channels: [{ id, user_ids: idsOf(ada, bob), last_pos: 1, read_pos: 0, as_of_seq: seq }] });
    expect(painted.users.map((user) => user.id).toSorted()).toEqual(idsOf(ada, bob));
  });

  it('is without what the caller has closed, until they open it or there is a message; for the others nothing changes', async () => {
    const { id } = await opened(ada, bob);
    await drained(id, (await send(ada, id, 'one')).seq ?? 0);
    for (let n = 0; n < 2; n++) expect((await bob.call('DELETE', `${PATH}/${id}`)).status).toBe(204);
    expect([await listed(ada), await listed(bob)]).toEqual([[id], []]);
    expect(bodyOf(await bob.call('GET', '/v1/bootstrap'), 200, bootstrapSchema).direct_channels).toEqual([]);
    await opened(bob, ada);
    expect(await listed(bob)).toEqual([id]);
    await bob.call('DELETE', `${PATH}/${id}`);
    await drained(id, (await send(ada, id, 'two')).seq ?? 0);
    expect(await listed(bob)).toEqual([id]);
    const { id: named } = await newChannel(ada);
    for (const other of [named, uuidv7(), 'x']) expectProblem(await ada.call('DELETE', `${PATH}/${other}`), 'not_found');
  });

  it('comes page by page, the newest first', async () => {
    const ids: string[] = [];
    for (const others of [[], [bob], [carol], [bob, carol]]) ids.unshift((await opened(ada, ...others)).id);
    const first = bodyOf(await ada.call('GET', `${PATH}?limit=3`), 200, directChannelPageSchema);
    const rest = bodyOf(await ada.call('GET', `${PATH}?limit=3&cursor=${first.next_cursor}`), 200, directChannelPageSchema);
    expect([...first.data, ...rest.data].map(({ id }) => id)).toEqual(ids);
    expect([first.data.length, rest.next_cursor, rest.users]).toEqual([3, null, [ada.user]]);
    expectProblem(await ada.call('GET', `${PATH}?cursor=x`), 'bad_cursor');
  });
});

describe('a guest', () => {
  it('talks to those alone with whom they share a channel, whoever begins, and learns of nobody else (G5)', async () => {
    const [guest, other] = [await newCaller({ role: 'guest' }), await newCaller({ role: 'guest' })];
    const { id } = await newChannel(ada, 'private');
    const nobody = await guest.call('POST', PATH, { user_ids: [uuidv7()] });
    for (const unseen of [ada, bob, other]) expect((await open(guest, unseen)).body).toMatchObject({ ...(nobody.body as object), request_id: expect.any(String) });
    expectProblem(await open(ada, guest), 'invalid');
    for (const one of [guest, bob]) await ada.call('POST', `/v1/channels/${id}/members`, { user_id: one.user.id });
    for (const one of [ada, bob]) expect((await open(guest, one)).status).toBe(201);
    expect((await open(bob, guest, ada)).status).toBe(201);
    expectProblem(await open(ada, guest, carol), 'invalid');
    expectProblem(await open(ada, guest, other), 'invalid');
    expect((await open(guest)).status).toBe(201);
    // A direct channel is no channel that is shared: it goes on, and opens no other.
    await ada.call('DELETE', `/v1/channels/${id}/members/${guest.user.id}`);
    expect((await open(guest, ada)).status).toBe(200);
    expectProblem(await open(carol, guest, ada), 'invalid');
  });
});
