import { env } from 'cloudflare:workers';
import { abortAllDurableObjects, createExecutionContext, runInDurableObject, waitOnExecutionContext } from 'cloudflare:test';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { describe, expect, it, vi } from 'vitest';
import { noticeOf, telling } from '../../durable-objects/user-inbox/inbox-fixture.ts';
import { MAX_ANNOUNCEMENTS } from '../../protocol/announcements.ts';
import { type DirectoryEvent, directoryEventSchema } from '../../protocol/directory-events.ts';
import { MAX_REDACTIONS } from '../../protocol/redactions.ts';
import { MAX_TELLINGS } from '../../protocol/tellings.ts';
import { soon } from '../../tests/support/soon.ts';
import { createApp } from '../app.ts';
import { type Caller, drained, expectProblem, newCaller, newChannel, newToken, onPostgres, ORIGIN, send } from '../api-fixture.ts';
import { createServices } from '../services.ts';
import { type ApiSocket, bearer, channelSocket, liveEventsOf, INBOX_SOCKET, openSocket } from '../socket-fixture.ts';

const app = createApp(createServices());

async function tell(body: unknown, authorization: string | null, bindings: object = { FLEET_TOKEN: 'secret' }, path = '/internal/inboxes') {
  const context = createExecutionContext();
  const headers = { 'Content-Type': 'application/json', ...(authorization !== null && { Authorization: authorization }) };
  const request = new Request(`${ORIGIN}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const response = await app.fetch(request, { ...env, ...bindings }, context);
  const answer = { status: response.status, body: await response.json<{ data?: unknown; code?: string }>() };
  await waitOnExecutionContext(context);
  return answer;
}

const announce = (data: readonly object[]) => tell({ data }, 'Bearer secret', undefined, '/internal/announcements');
const one = (user_id: string) => ({ data: [{ user_id, ...telling({}) }] });

it('is not there without its secret, or for who does not know it (G5)', async () => {
  const { user, token } = await newCaller();
  for (const authorization of [null, 'Bearer wrong', 'Bearer secre', 'Bearer ', `Bearer ${token}`]) {
    expect(await tell(one(user.id), authorization)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  }
  for (const nothing of ['', undefined]) expect(await tell(one(user.id), 'Bearer ', { FLEET_TOKEN: nothing })).toMatchObject({ status: 404 });
});

it('tells many inboxes, each for itself, and says of each what became of it', async () => {
  const [ada, bob] = [await newCaller(), await newCaller()];
  const channel = uuidv7();
  const data = [ada, bob].map(({ user }) => ({ user_id: user.id, ...telling({ notices: [noticeOf(channel, 1)] }) }));
  const answer = await tell({ data: [...data, { user_id: uuidv7(), ...telling({}) }] }, 'Bearer secret');
  expect(answer).toMatchObject({ status: 200, body: { data: [{ status: 'asleep' }, { status: 'asleep' }, { status: 'unknown' }] } });
});

it('takes no more than its bounds, and nothing of another form (G8)', async () => {
  const { user } = await newCaller();
  for (const body of [{ data: [] }, { data: Array.from({ length: MAX_TELLINGS + 1 }, () => one(user.id).data[0]) }, { data: [{ user_id: user.id }] }, []]) {
    expect(await tell(body, 'Bearer secret')).toMatchObject({ status: 422, body: { code: 'invalid' } });
  }
});

describe('announcements', () => {
  /** The room fails at whatever touches this table, until it is mended. */
  const rename = (channelId: string, from: string, to: string) =>
    runInDurableObject(env.ROOMS.getByName(channelId), (_, state) => void state.storage.sql.exec(`ALTER TABLE ${from} RENAME TO ${to}`));

  const lastEvent = async (key: string): Promise<DirectoryEvent> => {
    const [row] = await onPostgres((db) => db.execute<{ data: unknown }>(sql`
      SELECT data FROM event_log WHERE key = ${key} AND (topic = 'channel.events' OR type LIKE 'colink.user.%') ORDER BY position DESC LIMIT 1`));
    return directoryEventSchema.parse(row?.data);
  };

  async function removalOf(channelId: string): Promise<object> {
    const event = await lastEvent(channelId);
    if (event.type !== 'channel.member_removed') throw new Error(`the last event is ${event.type}`);
    const { id: event_id, user_id, actor_id, version } = event;
    return { to: 'room', channel_id: channelId, changes: [{ event_id, user_id, actor_id, role: null, version }], revoked: [], channel: null };
  }

  const closes = (socket: ApiSocket, code: number) => vi.waitFor(() => expect(socket.closed()?.code).toBe(code), 5_000);
  const logout = (who: Caller) => who.call('POST', '/auth/logout');

  it('end the live access of a removed member whose room the Worker could not tell, and are announced once (G2, G5)', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id } = await newChannel(ada);
    await bob.call('PUT', `/v1/channels/${id}/members/me`);
    const [socket, owners] = [await openSocket(channelSocket(id), bearer(bob)), await openSocket(channelSocket(id), bearer(ada))];
    await rename(id, 'members', 'broken');
    expectProblem(await ada.call('DELETE', `/v1/channels/${id}/members/${bob.user.id}`), 'unavailable');
    const removal = await removalOf(id);
    expect(await announce([removal])).toMatchObject({ status: 200, body: { data: [{ status: 'failed' }] } });
    await rename(id, 'broken', 'members');
    expect((await send(bob, id, 'the room does not know yet')).changed).toBe(true);
    for (let n = 0; n < 2; n++) expect(await announce([removal])).toMatchObject({ status: 200, body: { data: [{ status: 'told' }] } });
    await closes(socket, 4003);
    expectProblem(await bob.call('POST', `/v1/channels/${id}/messages`, { client_msg_id: uuidv7(), text: 'x' }), 'not_a_member');
    await soon(() => expect(liveEventsOf(owners).filter(({ type }) => type === 'member.removed')).toHaveLength(1));
    owners.close();
  });

  it('end the sockets of a credential that rooms and inbox could not be told of (G5)', async () => {
    const ada = await newCaller();
    const { id } = await newChannel(ada);
    const phone = await newToken(ada.user, { kind: 'session' });
    const sockets = [await openSocket(channelSocket(id), bearer(phone)), await openSocket(INBOX_SOCKET, bearer(phone))];
    const laptop = await openSocket(channelSocket(id), bearer(ada));
    await rename(id, 'revoked_credentials', 'broken');
    expectProblem(await logout(phone), 'unavailable');
    await rename(id, 'broken', 'revoked_credentials');
    expect(await lastEvent(ada.user.id)).toMatchObject({ type: 'user.credential_revoked', user_id: ada.user.id, credential_id: phone.credentialId });
    const revoked = [{ credential_id: phone.credentialId, expires_at: Date.now() + 3_600_000 }];
    const told = await announce([{ to: 'room', channel_id: id, changes: [], revoked, channel: null }, { to: 'inbox', user_id: ada.user.id, credential_id: phone.credentialId }]);
    expect(told).toMatchObject({ status: 200, body: { data: [{ status: 'told' }, { status: 'told' }] } });
    for (const socket of sockets) await closes(socket, 4001);
    laptop.send({ type: 'send', id: 's', client_msg_id: 's', text: 'goes on' });
    expect(await laptop.answer('s')).toHaveProperty('seq');
    laptop.close();
  });

  it('do not open a room that nobody has needed, but for whom to keep out; of a channel that is none they say so', async () => {
    const ada = await newCaller();
    const { id } = await newChannel(ada);
    const change = { event_id: uuidv7(), user_id: uuidv7(), actor_id: ada.user.id, role: 'member', version: 2 };
    const revoked = [{ credential_id: uuidv7(), expires_at: Date.now() + 60_000 }];
    const fence = async () => (await onPostgres((db) => db.execute<{ fence: string }>(sql`SELECT fence FROM conversation_logs WHERE channel_id = ${id}`)))[0]?.fence;
    expect(await announce([{ to: 'room', channel_id: id, changes: [change], revoked: [], channel: null }])).toMatchObject({ body: { data: [{ status: 'told' }] } });
    expect(await fence()).toBe('0');
    expect(await announce([{ to: 'room', channel_id: id, changes: [], revoked, channel: null }, { to: 'room', channel_id: uuidv7(), changes: [], revoked, channel: null }])).toMatchObject({
      body: { data: [{ status: 'told' }, { status: 'unknown' }] },
    });
    expect(await fence()).toBe('1');
  });

  it('are known again by a room that lost its storage, also of who has left (G2)', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id } = await newChannel(ada);
    for (const method of ['PUT', 'DELETE']) await bob.call(method, `/v1/channels/${id}/members/me`);
    const { seq } = await send(ada, id, 'the last');
    await drained(id, seq ?? 0);
    await runInDurableObject(env.ROOMS.getByName(id), (_, state) => state.storage.deleteAll());
    await abortAllDurableObjects();
    const next = await send(ada, id, 'opens it again');
    expect(await announce([await removalOf(id)])).toMatchObject({ body: { data: [{ status: 'told' }] } });
    expect((await send(ada, id, 'nothing came between')).seq).toBe((next.seq ?? 0) + 1);
  });

  it('are refused without the secret, in another form, or past their bounds (G5, G8)', async () => {
    const inbox = { to: 'inbox', user_id: uuidv7(), credential_id: uuidv7() };
    expect(await tell({ data: [inbox] }, 'Bearer wrong', undefined, '/internal/announcements')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    for (const data of [[], Array.from({ length: MAX_ANNOUNCEMENTS + 1 }, () => inbox), [{ ...inbox, to: 'room' }], [{ ...inbox, more: 1 }]]) {
      expect(await announce(data)).toMatchObject({ status: 422, body: { code: 'invalid' } });
    }
  });
});

describe('redactions', () => {
  const redact = (data: readonly object[], authorization = 'Bearer secret') => tell({ data }, authorization, undefined, '/internal/redactions');

  it('have rooms delete what a user wrote, live and durably, and are for the fleet alone (G2, G5, G8)', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id } = await newChannel(ada);
    await bob.call('PUT', `/v1/channels/${id}/members/me`);
    const [{ message_id }, socket] = [await send(bob, id, 'to be deleted'), await openSocket(channelSocket(id), bearer(ada))];
    await send(ada, id, 'stays');
    const one = { channel_id: id, user_id: bob.user.id, actor_id: ada.user.id, after: null };
    expect(await redact([one], 'Bearer wrong')).toMatchObject({ status: 404 });
    for (const data of [[], [{ ...one, after: 'x' }], Array.from({ length: MAX_REDACTIONS + 1 }, () => one)]) expect(await redact(data)).toMatchObject({ status: 422 });
    for (let n = 0; n < 2; n++) {
      expect(await redact([one, { ...one, channel_id: uuidv7() }])).toMatchObject({ status: 200, body: { data: [{ status: 'told', after: null }, { status: 'unknown' }] } });
    }
    await soon(() => expect(liveEventsOf(socket).filter(({ type }) => type === 'message.deleted')).toMatchObject([{ message_id, actor_id: ada.user.id }]));
    socket.close();
  });
});
