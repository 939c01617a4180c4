import { createHash } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ProblemError } from '../client/errors.ts';
import type { Transaction } from '../db/client.ts';
import { changeChannel, setArchived } from '../db/queries/channel-changes.ts';
import { revokeCredential } from '../db/queries/credentials.ts';
import { deactivateUser } from '../db/queries/deactivation.ts';
import { addMember, changeRole, type MemberRequest, removeMember } from '../db/queries/members.ts';
import { signIn } from '../db/queries/users.ts';
import { credentials, users } from '../db/schema/tables.ts';
import { detect, isPresent } from '../dev/components.ts';
import type { MemberRole } from '../protocol/events.ts';
import { SUBPROTOCOL } from '../protocol/version.ts';
import { openRawSocket, type RawSocket } from './support/raw-socket.ts';
import { must } from './support/room-core.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

/**
 * Directory writes by the very transactions of the Worker, without the calls that follow them: as if it had died in between. Rooms, inboxes and
 * cache have to hear of them all the same, from the fleet.
 */
let world: World;
let owner: WorldUser;
let channel: string;

beforeAll(async () => {
  world = await startWorld('lost-tellings');
  owner = await world.user('alice');
  await world.db.update(users).set({ role: 'admin' }).where(eq(users.id, owner.id));
  ({ id: channel } = await owner.api.createChannel({ name: 'lost', kind: 'private', topic: '' }));
});
afterAll(() => world?.close());

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();
const change = () => ({ eventId: uuidv7(), now: new Date(), traceparent: null });

async function byOwner(): Promise<{ credentialId: string; actorId: string }> {
  const [found] = await world.db.select({ id: credentials.id }).from(credentials).where(eq(credentials.secret_hash, hashOf(owner.token)));
  if (found === undefined) throw new Error('the owner has no credential');
  return { credentialId: found.id, actorId: owner.id };
}

type Write = (tx: Transaction, request: MemberRequest) => Promise<unknown>;
const add = (role: MemberRole): Write => async (tx, request) => must(await addMember(tx, { ...request, role }));
const remove: Write = async (tx, request) => must(await removeMember(tx, request));
const promote: Write = async (tx, request) => must(await changeRole(tx, { ...request, role: 'admin' }));

async function write({ id: userId }: WorldUser, effect: Write): Promise<string> {
  const request = { channelId: channel, userId, ...(await byOwner()), ...change() };
  await world.db.transaction((tx) => effect(tx, request));
  return request.eventId;
}

/** Someone who sits in the channel. */
async function seated(handle: string): Promise<{ user: WorldUser; live: RawSocket }> {
  const user = await world.user(handle);
  await write(user, add('member'));
  return { user, live: await openRawSocket(world.baseUrl, channel, user.token) };
}

/** How the inbox's socket of this token ends. */
async function inboxEnd(token: string): Promise<{ readonly code: Promise<number> }> {
  const socket = new WebSocket(`${world.baseUrl.replace('http', 'ws')}/v1/me/socket`, SUBPROTOCOL, { headers: { authorization: `Bearer ${token}` } });
  const code = new Promise<number>((resolve) => socket.on('close', resolve));
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.once('message', (data) => {
      socket.send(JSON.stringify({ type: 'ack', seq: (JSON.parse(String(data)) as { seq: number }).seq }));
      resolve();
    });
  });
  return { code };
}

const announced = ({ live }: { live: RawSocket }, user: WorldUser) =>
  live.events().flatMap((event) => ('user_id' in event && event.user_id === user.id ? [[event.type, event.id, 'role' in event ? event.role : null]] : []));

describe('a telling that was lost', () => {
  it('of members and roles is announced in the channel, once, and a removal ends live access (G2, G5)', async () => {
    const witness = await seated('wilma');
    const { user, live } = await seated('bob');
    await expect.poll(() => announced(witness, user).length, { timeout: 10_000 }).toBe(1);
    const role = await write(user, promote);
    await expect.poll(() => announced(witness, user).at(-1), { timeout: 10_000 }).toEqual(['member.added', role, 'admin']);
    const removal = await write(user, remove);
    expect(await live.closed).toBe(4003);
    await expect.poll(() => announced(witness, user).at(-1), { timeout: 10_000 }).toEqual(['member.removed', removal, null]);
    expect(announced(witness, user)).toHaveLength(3);
    await expect(user.api.send(channel, { client_msg_id: 'late', text: 'late' })).rejects.toMatchObject({ code: 'not_found' });
    witness.live.socket.close();
  });

  it('of a session that signed out, or a user who was deactivated, ends their sockets in room and inbox (G5)', async () => {
    const [left, banned, stays] = [await seated('lena'), await seated('bert'), await seated('susi')];
    const inboxes = [await inboxEnd(left.user.token), await inboxEnd(banned.user.token)];
    await world.db.transaction((tx) => revokeCredential(tx, hashOf(left.user.token), change()));
    const { credentialId, actorId } = await byOwner();
    await world.db.transaction(async (tx) => must(await deactivateUser(tx, { credentialId, actorId, userId: banned.user.id, ...change() })));
    expect(await Promise.all([left.live.closed, banned.live.closed, ...inboxes.map(({ code }) => code)])).toEqual([4001, 4001, 4001, 4001]);
    expect((await stays.user.api.send(channel, { client_msg_id: 'stays', text: 'stays' })).changed).toBe(true);
    stays.live.socket.close();
  });

  it('of an archived channel closes it, and one of opening it again opens it', async () => {
    const { id } = await owner.api.createChannel({ name: 'archive', kind: 'private', topic: '' });
    const sending = (client_msg_id: string) => owner.api.send(id, { client_msg_id, text: 'x' }).then(() => 'sent', (error: unknown) => (error instanceof ProblemError ? error.code : error));
    expect(await sending('first')).toBe('sent');
    for (const [archived, answer] of [[true, 'channel_archived'], [false, 'sent']] as const) {
      const request = { ...(await byOwner()), channelId: id, archived, ...change() };
      await world.db.transaction(async (tx) => must(await setArchived(tx, request)));
      await expect.poll(() => sending(uuidv7()), { timeout: 10_000, interval: 100 }).toBe(answer);
    }
  });

  it('of a channel that was made private is heard by the room all the same: it says no more that it is there', async () => {
    const { id } = await owner.api.createChannel({ name: 'opened', kind: 'public', topic: '' });
    const live = await openRawSocket(world.baseUrl, id, owner.token);
    const request = { ...(await byOwner()), channelId: id, expected: 1, ...change() };
    await world.db.transaction(async (tx) => must(await changeChannel(tx, request, { kind: 'private' })));
    const told = () => live.events().flatMap((event) => (event.type === 'channel.changed' ? [[event.id, event.kind]] : []));
    await expect.poll(told, { timeout: 10_000 }).toEqual([[request.eventId, 'private']]);
    live.socket.close();
  });

  it.skipIf(!isPresent(detect().redis))('of a new name reaches the cache: the profile is not the old one for its five minutes (G7)', async () => {
    const user = await world.user('nina');
    expect(await owner.api.user(user.id)).toMatchObject({ display_name: 'nina' });
    const [row] = await world.db.select({ issuer: users.issuer, subject: users.subject }).from(users).where(eq(users.id, user.id));
    if (row === undefined) throw new Error('there is no such user');
    await world.db.transaction(async (tx) => must(await signIn(tx, { ...row, handles: ['nina'], display_name: 'Nina Simone' }, new Date())));
    await expect.poll(async () => (await owner.api.user(user.id)).display_name, { timeout: 20_000, interval: 500 }).toBe('Nina Simone');
  });
});
