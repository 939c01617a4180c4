import { env } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { fetchApi, newCaller, newChannel, newToken, onPostgres, ORIGIN, send, type Caller } from '../workers/api-fixture.ts';
import { refreshResultSchema } from '../protocol/frames.ts';
import { bearer, channelSocket, eventsOf, INBOX_SOCKET, offering, openSocket, ticketOf, type ApiSocket } from '../workers/socket-fixture.ts';

/** What an adversary tries, against the real routes, rooms and inboxes (G5). */

let owner: Caller;
let mallory: Caller;
let channel: string;
beforeEach(async () => {
  [owner, mallory] = [await newCaller(), await newCaller()];
  ({ id: channel } = await newChannel(owner, 'private'));
});

const members = () => `/v1/channels/${channel}/members`;
const admit = (who: Caller) => owner.call('POST', members(), { user_id: who.user.id });
const expel = (who: Caller) => owner.call('DELETE', `${members()}/${who.user.id}`);
const logout = ({ token }: Caller) => fetchApi('/auth/logout', { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
const join = (caller: Caller, id = channel) => openSocket(channelSocket(id), bearer(caller));
const endsWith = (socket: ApiSocket, code: number) => vi.waitFor(() => expect(socket.closed()?.code).toBe(code), 5_000);
const nextTicket = ({ frames: [first] }: ApiSocket) => (first?.type === 'welcome' ? (first.next_ticket ?? '') : '');
const texts = (socket: ApiSocket) => eventsOf(socket).flatMap((event) => (event.type === 'message.created' ? [event.text] : []));

describe('a ticket', () => {
  it('serves once, also of two who offer it at the same moment (P3)', async () => {
    const ticket = await ticketOf(owner);
    const opened = await Promise.all([1, 2, 3].map(() => openSocket(channelSocket(channel), offering(ticket))));
    expect(opened.map(({ status }) => status).toSorted()).toEqual([101, 401, 401]);
    expect((await openSocket(INBOX_SOCKET, offering(ticket))).problem).toBe('unauthenticated');
  });

  it('of a member who was removed may not resume (P3)', async () => {
    await admit(mallory);
    const first = await join(mallory);
    await send(owner, channel, 'while a member');
    const ticket = await ticketOf(mallory);
    await expel(mallory);
    await send(owner, channel, 'after the removal');
    await endsWith(first, 4003);
    expect((await openSocket(`${channelSocket(channel)}?epoch=1&since=0`, offering(ticket))).problem).toBe('not_found');
    expect(texts(first)).toEqual(['while a member']);
  });

  it('of one user opens nothing of another (P3)', async () => {
    const inbox = await openSocket(INBOX_SOCKET, offering(await ticketOf(mallory)));
    await send(owner, channel, 'not for Mallory');
    expect((await openSocket(channelSocket(channel), offering(await ticketOf(mallory)))).problem).toBe('not_found');
    const relabelled = (await ticketOf(mallory)).replace(mallory.user.id.replaceAll('-', ''), owner.user.id.replaceAll('-', ''));
    expect((await openSocket(channelSocket(channel), offering(relabelled))).problem).toBe('unauthenticated');
    expect(inbox.frames.every((frame) => frame.type !== 'events')).toBe(true);
    inbox.close();
  });

  it('of another user does not refresh a socket, and one of one\'s own does so once (P34)', async () => {
    await admit(mallory);
    const socket = await join(mallory);
    socket.send({ type: 'refresh', id: 'stolen', ticket: await ticketOf(owner) });
    expect(await socket.answer('stolen')).toBe('unauthenticated');
    const own = await ticketOf(mallory);
    for (const id of ['once', 'twice']) socket.send({ type: 'refresh', id, ticket: own });
    expect([await socket.answer('once'), ['unauthenticated', 'rate_limited']]).toEqual([{ expires_at: expect.any(String), next_ticket: expect.any(String) }, expect.arrayContaining([await socket.answer('twice')])]);
    expect((await openSocket(channelSocket(channel), offering(own))).problem).toBe('unauthenticated');
    socket.close();
  });

  it('that was issued before the logout is void, to open and to refresh (P3)', async () => {
    const [session, other] = [await newToken(owner.user, { kind: 'session' }), await join(owner)];
    const [opens, refreshes] = [await ticketOf(session), await ticketOf(session)];
    await logout(session);
    expect((await openSocket(channelSocket(channel), offering(opens))).problem).toBe('unauthenticated');
    other.send({ type: 'refresh', id: 'r', ticket: refreshes });
    expect(await other.answer('r')).toBe('unauthenticated');
    other.close();
  });

  it.each(['https://evil.example', 'null', `${ORIGIN}.evil.example`, ORIGIN.replace('https', 'http')])('from a page of %s is refused, of a channel and of an inbox (P4)', async (origin) => {
    const ticket = await ticketOf(owner);
    for (const path of [channelSocket(channel), INBOX_SOCKET]) expect((await openSocket(path, offering(ticket, origin))).problem).toBe('forged_origin');
  });

  it('is not for a token that may only write (P2)', async () => {
    const writer = await newToken(owner.user, { scopes: ['messages:write'] });
    expect((await writer.call('POST', '/v1/socket-tickets')).status).toBe(403);
  });
});

describe('the ticket of a welcome', () => {
  it('opens one socket more, which brings the next, on channels and inboxes alike (P50)', async () => {
    const first = await join(owner);
    const second = await openSocket(INBOX_SOCKET, offering(nextTicket(first)));
    const third = await openSocket(channelSocket(channel), offering(nextTicket(second)));
    expect([second.status, third.status]).toEqual([101, 101]);
    for (const socket of [first, second]) expect((await openSocket(channelSocket(channel), offering(nextTicket(socket)))).problem).toBe('unauthenticated');
    for (const socket of [first, second, third]) socket.close();
  });

  it('is void once its session has signed out, and another\'s serves on (P50)', async () => {
    const session = await newToken(owner.user, { kind: 'session' });
    const [own, other] = [nextTicket(await join(session)), nextTicket(await join(owner))];
    await logout(session);
    expect((await openSocket(channelSocket(channel), offering(own))).problem).toBe('unauthenticated');
    expect((await openSocket(channelSocket(channel), offering(other))).status).toBe(101);
  });

  it('goes with the credential that a refresh has brought, not with the first one (P34, P50)', async () => {
    const [first, second] = [await newToken(owner.user, { kind: 'session' }), await newToken(owner.user, { kind: 'session' })];
    const socket = await join(first);
    socket.send({ type: 'refresh', id: 'r', ticket: await ticketOf(second) });
    const { next_ticket } = refreshResultSchema.parse(await socket.answer('r'));
    await logout(first);
    expect((await openSocket(channelSocket(channel), offering(nextTicket(socket)))).problem).toBe('unauthenticated');
    expect((await openSocket(channelSocket(channel), offering(next_ticket ?? ''))).status).toBe(101);
    socket.close();
  });

  it('does not bring back a member who was removed, nor serve a page of another origin (P4, P50)', async () => {
    await admit(mallory);
    const socket = await join(mallory);
    await expel(mallory);
    await endsWith(socket, 4003);
    expect((await openSocket(channelSocket(channel), offering(nextTicket(socket), 'https://evil.example'))).problem).toBe('forged_origin');
    expect((await openSocket(`${channelSocket(channel)}?epoch=1&since=0`, offering(nextTicket(socket)))).problem).toBe('not_found');
  });
});

describe('a socket', () => {
  it('of a member who was removed does nothing more, however fast it speaks (P23)', async () => {
    await admit(mallory);
    const socket = await join(mallory);
    const removal = expel(mallory);
    for (let n = 0; n < 20; n++) socket.send({ type: 'send', id: `late-${n}`, client_msg_id: `late-${n}`, text: 'late' });
    expect((await removal).status).toBe(204);
    const before = (await send(owner, channel, 'after the removal')).seq;
    await endsWith(socket, 4003);
    expect((await send(owner, channel, 'and still alone')).seq).toBe((before ?? 0) + 1);
    expect(texts(socket)).not.toContain('after the removal');
  });

  it('of a session that has signed out ends, in channels and in the inbox (P36)', async () => {
    const session = await newToken(owner.user, { kind: 'session' });
    const sockets = [await join(session), await openSocket(INBOX_SOCKET, bearer(session))];
    const other = await join(owner);
    expect((await logout(session)).status).toBe(204);
    for (const socket of sockets) await endsWith(socket, 4001);
    expect(other.closed()).toBeNull();
    other.close();
  });

  it('does not live on by a refresh with the session that has signed out since', async () => {
    const [first, second] = [await newToken(owner.user, { kind: 'session' }), await newToken(owner.user, { kind: 'session' })];
    const socket = await join(first);
    socket.send({ type: 'refresh', id: 'r', ticket: await ticketOf(second) });
    expect(await socket.answer('r')).toHaveProperty('expires_at');
    await logout(first);
    socket.send({ type: 'send', id: 's', client_msg_id: 's', text: 'with the second' });
    expect(await socket.answer('s')).toHaveProperty('seq');
    await logout(second);
    await endsWith(socket, 4001);
  });
});

describe('a credential', () => {
  /** As the logout of another isolate does it: this one still trusts the credential. */
  const revokeElsewhere = ({ user, credentialId }: Caller) =>
    Promise.all([
      onPostgres((db) => db.execute(sql`UPDATE credentials SET revoked_at = now() WHERE id = ${credentialId}`)),
      env.INBOXES.getByName(user.id).revokeCredential(credentialId),
    ]);

  it('that was revoked opens no socket through an isolate that still trusts it, be it of a channel that was joined since (G5)', async () => {
    const [stolen, own] = [mallory, await newToken(mallory.user)];
    await stolen.call('GET', '/v1/bootstrap');
    await revokeElsewhere(stolen);
    await admit(own);
    expect((await join(stolen)).problem).toBe('unauthenticated');
    expect((await openSocket(INBOX_SOCKET, bearer(stolen))).problem).toBe('unauthenticated');
    const socket = await join(own);
    expect(socket.status).toBe(101);
    socket.close();
  });

  it.each([['read', ['messages:read']], ['write', ['messages:write']]])('that may only %s opens no socket, and gets no ticket (P2)', async (_, scopes) => {
    const narrow = await newToken(owner.user, { scopes });
    expect((await narrow.call('POST', '/v1/socket-tickets')).status).toBe(403);
    for (const path of [channelSocket(channel), INBOX_SOCKET]) expect((await openSocket(path, bearer(narrow))).problem).toBe('forbidden');
  });
});

describe('a role', () => {
  const promote = (by: Caller, who: Caller, role: string) => by.call('PATCH', `${members()}/${who.user.id}`, { role });

  it('holds from the answer on: what it allowed is refused, and live sockets have been told (P23)', async () => {
    await admit(mallory);
    const [socket, stranger] = [await join(mallory), await newCaller()];
    expect((await promote(owner, mallory, 'admin')).status).toBe(200);
    expect((await mallory.call('POST', members(), { user_id: stranger.user.id })).status).toBe(201);
    expect((await promote(owner, mallory, 'member')).body).toMatchObject({ role: 'member', user: { id: mallory.user.id } });
    expect((await mallory.call('DELETE', `${members()}/${stranger.user.id}`)).status).toBe(403);
    socket.send({ type: 'send', id: 's', client_msg_id: 's', text: 'still a member' });
    expect(await socket.answer('s')).toHaveProperty('seq');
    const roles = eventsOf(socket).flatMap((event) => (event.type === 'member.added' && event.user_id === mallory.user.id ? [event.role] : []));
    expect(roles.slice(-2)).toEqual(['admin', 'member']);
    socket.close();
  });

  it('cannot be taken: a member makes nobody anything, an admin no owner, and nobody unmakes the last owner', async () => {
    await admit(mallory);
    expect((await promote(mallory, mallory, 'owner')).status).toBe(403);
    await promote(owner, mallory, 'admin');
    for (const [who, role] of [[mallory, 'owner'], [owner, 'member']] as const) expect((await promote(mallory, who, role)).status).toBe(403);
    expect((await promote(owner, owner, 'member')).body).toMatchObject({ code: 'conflict' });
    expect((await promote(owner, await newCaller(), 'admin')).status).toBe(404);
    expect((await promote(await newCaller(), mallory, 'member')).status).toBe(404);
    expect((await promote(owner, mallory, 'owner')).status).toBe(200);
    expect((await promote(owner, owner, 'member')).status).toBe(200);
  });
});

describe('a guest', () => {
  it('cannot join a public channel by its id, nor see it, nor listen to it (P6)', async () => {
    const [guest, open] = [await newCaller({ role: 'guest' }), await newChannel(owner)];
    const paths = [['PUT', 'members/me'], ['GET', 'members'], ['GET', 'messages'], ['PATCH', 'members/me']] as const;
    for (const [method, path] of paths) {
      const answer = await guest.call(method, `/v1/channels/${open.id}/${path}`, method === 'PATCH' ? { role: 'owner' } : undefined);
      expect([path, answer.status]).toEqual([path, 404]);
    }
    expect((await guest.call('POST', `/v1/channels/${open.id}/messages`, { client_msg_id: uuidv7(), text: 'x' })).status).toBeGreaterThanOrEqual(403);
    expect((await join(guest, open.id)).status).toBeGreaterThanOrEqual(403);
  });
});
