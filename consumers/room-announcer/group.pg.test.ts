import { pino } from 'pino';
import { uuidv7 } from 'uuidv7';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import { changeChannel, setArchived } from '../../db/queries/channel-changes.ts';
import { createChannel } from '../../db/queries/channels.ts';
import { insertCredential, revokeCredential } from '../../db/queries/credentials.ts';
import { deactivateUser } from '../../db/queries/deactivation.ts';
import { addMember, changeRole, findMembership, type MemberRequest, removeMember } from '../../db/queries/members.ts';
import type { Transaction } from '../../db/client.ts';
import { Conversation } from '../../durable-objects/channel-room/conversation.ts';
import { applyMemberChange } from '../../durable-objects/channel-room/membership.ts';
import type { Announcement } from '../../protocol/announcements.ts';
import type { MemberRole } from '../../protocol/events.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { logged, must, reopen } from '../../tests/support/room-core.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { InfrastructureError } from '../runtime/classify.ts';
import { createEventLogSource } from '../runtime/event-log-source.ts';
import type { EventSource } from '../runtime/event-source.ts';
import { groupService } from '../runtime/group-runner.ts';
import type { Service } from '../runtime/service.ts';
import { totalLag } from '../runtime/stream-lag.ts';
import { roomAnnouncer } from './group.ts';

const TOPICS = ['channel.events', 'user.events'] as const;

interface Person {
  readonly id: string;
  readonly credential: string;
  readonly secretHash: Uint8Array;
}

let database: TestDatabase;
let rooms: Map<string, Conversation>;
let heard: Announcement[];
/** Told before each telling takes effect; and after the first of its rooms: may throw. */
let fault: (when: 'before' | 'within') => void;
let source: EventSource;
let service: Service;
let owner: Person;

beforeEach(async () => {
  database = await testDatabase();
  [rooms, heard, fault] = [new Map(), [], () => {}];
  owner = await person('admin');
  start();
});

afterEach(async () => {
  await service.stop();
  await database.drop();
});

function start(): void {
  source = createEventLogSource({ databaseUrl: database.url, sql: database.connection.sql, groupId: 'room-announcer', topics: TOPICS, batchRecords: 3, onError: () => {} });
  service = groupService(roomAnnouncer({ announce }), source, {
    sql: database.connection.sql, log: pino({ level: 'silent' }), chance: { now: () => new Date(), random: () => 0 }, onTaken: () => {},
  });
  void service.run();
}

/** The Worker's part, on rooms in memory, without a network. */
async function announce(announcements: readonly Announcement[]): Promise<void> {
  fault('before');
  for (const announcement of announcements) {
    if (announcement.to === 'room') for (const change of announcement.changes) applyMemberChange(roomOf(announcement.channel_id), change, Date.now());
    heard.push(announcement);
    fault('within');
  }
}

function roomOf(channelId: string): Conversation {
  const found = rooms.get(channelId);
  if (found !== undefined) return found;
  const sql = nodeSqlite();
  Conversation.prepare(sql);
  Conversation.complete(sql, { channelId, kind: 'public', standing: { archived: false, version: 1 }, epoch: 1, fence: 1, seq: 0, pos: 0 });
  const room = reopen(sql, () => uuidv7());
  rooms.set(channelId, room);
  return room;
}

const inTransaction = <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => database.connection.db.transaction(work);
const quiet = (): Promise<void> => eventually(async () => totalLag(await source.lag()) === 0, 15_000);

async function person(role: 'admin' | 'member' = 'member'): Promise<Person> {
  const [id, credential, secretHash] = [uuidv7(), uuidv7(), crypto.getRandomValues(new Uint8Array(32))];
  await database.connection.sql`INSERT INTO users (id, issuer, subject, handle, display_name, role) VALUES (${id}, 'test', ${id}, ${id}, 'Somebody', ${role})`;
  await insertCredential(database.connection.db, {
    id: credential, secret_hash: secretHash, kind: 'session', user_id: id, name: 'test', scopes: [], expires_at: new Date(Date.now() + 3_600_000),
  });
  return { id, credential, secretHash };
}

const change = () => ({ eventId: uuidv7(), now: new Date(), traceparent: null });
const requestFor = (channelId: string, { id: userId }: Person): MemberRequest => ({ channelId, userId, actorId: owner.id, credentialId: owner.credential, ...change() });

async function newChannel(): Promise<string> {
  const caller = { credential_id: owner.credential, user_id: owner.id };
  return must(await inTransaction((tx) => createChannel(tx, caller, { name: uuidv7(), kind: 'public', topic: '' }, change()))).id;
}

/** A directory write whose telling is lost: as the Worker's transaction, and no call behind it. */
async function set(channelId: string, who: Person, role: MemberRole | null): Promise<string> {
  const request = requestFor(channelId, who);
  await inTransaction(async (tx) => {
    if (role === null) return must(await removeMember(tx, request));
    return must(await addMember(tx, { ...request, role })) || must(await changeRole(tx, { ...request, role }));
  });
  return request.eventId;
}

const announced = (channelId: string) => logged(roomOf(channelId)).map((event) => [event.type, event.id, 'role' in event ? event.role : null]);

describe('room-announcer', () => {
  it('tells a room what it was not told, once each, under the ids of the directory\'s events; not of its maker (G2, G5)', async () => {
    const [channel, bob] = [await newChannel(), await person()];
    const ids: string[] = [];
    for (const role of ['member', 'admin', null] as const) {
      ids.push(await set(channel, bob, role));
      await quiet();
      expect(roomOf(channel).access.membership(bob.id)?.role).toBe(role);
    }
    expect(announced(channel)).toEqual([['member.added', ids[0], 'member'], ['member.added', ids[1], 'admin'], ['member.removed', ids[2], null]]);
  });

  it('tells nothing that was undone since: who was removed is not let in by their late joining (G5)', async () => {
    await service.stop();
    const [channel, bob] = [await newChannel(), await person()];
    const joined = await set(channel, bob, 'member');
    for (let n = 0; n < 5; n++) await set(channel, await person(), 'member');
    await set(channel, bob, null);
    start();
    await quiet();
    const told = heard.flatMap((announcement) => (announcement.to === 'room' ? announcement.changes : []));
    expect(told.map(({ event_id }) => event_id)).not.toContain(joined);
    expect(told.filter(({ user_id }) => user_id === bob.id)).toMatchObject([{ role: null }]);
  });

  it('tells all rooms and the inbox of who was deactivated, and of a session that signed out, which credentials are void (G5)', async () => {
    const [first, second, bob, eve] = [await newChannel(), await newChannel(), await person(), await person()];
    for (const channel of [first, second]) await set(channel, bob, 'member');
    await set(second, eve, 'member');
    await quiet();
    heard = [];
    must(await inTransaction((tx) => deactivateUser(tx, { credentialId: owner.credential, actorId: owner.id, userId: bob.id, ...change() })));
    await inTransaction((tx) => revokeCredential(tx, eve.secretHash, change()));
    await quiet();
    const rooms = new Map(heard.flatMap((announcement) => (announcement.to === 'room' ? announcement.revoked.map(({ credential_id }) => [`${announcement.channel_id} ${credential_id}`, true] as const) : [])));
    expect([...rooms.keys()].toSorted()).toEqual([`${first} ${bob.credential}`, `${second} ${bob.credential}`, `${second} ${eve.credential}`].toSorted());
    expect(heard.filter(({ to }) => to === 'inbox')).toEqual([bob, eve].map(({ id, credential }) => ({ to: 'inbox', user_id: id, credential_id: credential })));
  });

  it('tells a room what its channel is now, as often as it has changed, under the ids of the directory\'s events', async () => {
    const channel = await newChannel();
    await quiet();
    heard = [];
    const ids: string[] = [];
    for (const archived of [true, false]) {
      const request = { credentialId: owner.credential, actorId: owner.id, channelId: channel, archived, ...change() };
      ids.push(request.eventId);
      expect(must(await inTransaction((tx) => setArchived(tx, request))).archived_at === null).toBe(!archived);
      must(await inTransaction((tx) => setArchived(tx, request)));
      await quiet();
    }
    const request = { credentialId: owner.credential, actorId: owner.id, channelId: channel, expected: 3, ...change() };
    ids.push(request.eventId);
    const { name } = must(await inTransaction((tx) => changeChannel(tx, request, { topic: 'new', purpose: 'all' })));
    await quiet();
    const closing = { credentialId: owner.credential, actorId: owner.id, channelId: channel, expected: 4, ...change() };
    ids.push(closing.eventId);
    must(await inTransaction((tx) => changeChannel(tx, closing, { kind: 'private' })));
    await quiet();
    const told = (version: number, archived_at: string | null, details: object) => ({
      to: 'room', channel_id: channel, changes: [], revoked: [],
      channel: { archived: archived_at !== null, version, change: { event_id: ids[version - 2], actor_id: owner.id, name, topic: '', purpose: '', archived_at, kind: 'public', ...details } },
    });
    expect(heard).toEqual([told(2, expect.any(String), {}), told(3, null, {}), told(4, null, { topic: 'new', purpose: 'all' }), told(5, null, { topic: 'new', purpose: 'all', kind: 'private' })]);
  });

  it('says a credential is revoked in the outbox once, however often it is signed out of (G2)', async () => {
    const bob = await person();
    const revoke = () => inTransaction((tx) => revokeCredential(tx, bob.secretHash, change()));
    expect(await revoke()).toEqual(await revoke());
    const [row] = await database.connection.sql<{ n: number }[]>`SELECT count(*)::integer AS n FROM event_log WHERE type = 'colink.user.credential_revoked.v1'`;
    expect(row?.n).toBe(1);
  });

  const seed = seedOfRun();
  it(`once it is quiet every room knows its members as Postgres does, whatever was lost, failed or was told twice (seed ${seed}) (G5, G7)`, async () => {
    const random = seededRandom(seed);
    const pick = <T>(from: readonly [T, ...T[]]): T => from[Math.floor(random() * from.length)] ?? from[0];
    const channels: [string, string] = [await newChannel(), await newChannel()];
    const people: [Person, Person, Person] = [await person(), await person(), await person()];
    fault = (when) => {
      if (random() < (when === 'before' ? 0.15 : 0.1)) throw new InfrastructureError('the Worker is away');
    };
    /** The Worker's own call, where it is not lost. */
    const tell = async (channelId: string, { id }: Person, event_id: string): Promise<void> => {
      const membership = await findMembership(database.connection.db, channelId, id);
      if (membership) applyMemberChange(roomOf(channelId), { event_id, user_id: id, actor_id: owner.id, ...membership }, Date.now());
    };
    for (let step = 0; step < 80; step++) {
      const [channelId, who] = [pick(channels), pick(people)];
      const event = await set(channelId, who, pick(['member', 'admin', null, null])).catch(() => null);
      if (event !== null && random() < 0.4) await tell(channelId, who, event);
      if (random() < 0.05) {
        await service.stop();
        start();
      }
    }
    fault = () => {};
    await quiet();
    for (const channelId of channels) {
      for (const { id } of people) {
        const stored = await findMembership(database.connection.db, channelId, id);
        expect([id, roomOf(channelId).access.membership(id)?.role ?? null]).toEqual([id, stored?.role ?? null]);
      }
    }
  });
});
