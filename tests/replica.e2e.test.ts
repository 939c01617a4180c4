import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eq } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { applyEvents, applyPage, channelState } from '../client/channel-state.ts';
import { ProblemError } from '../client/errors.ts';
import { credentials, members, users } from '../db/schema/tables.ts';
import { type RunningPostgres, startPostgres } from '../dev/postgres.ts';
import { readQueries } from '../dev/query-log.ts';
import { type MessagePage, messagePageSchema } from '../protocol/api.ts';
import { CONSISTENCY_HEADER } from '../protocol/consistency.ts';
import { observeTables } from './support/observe.ts';
import { type Replica, startReplica } from './support/replica.ts';
import { openRawSocket } from './support/raw-socket.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

/** Longer than a replica may lag, in milliseconds. */
const TOO_OLD_MS = 6_000;
/** Asks for the primary: no replica has come so far. */
const PRIMARY = 'f'.repeat(16);
/** By application: the Worker, the tests, and what starts the server. */
const REPLICA_CLIENTS = ['colink-replica-test', 'colink-worker', 'postgres.js'];

let directory: string;
let primary: RunningPostgres;
let replica: Replica;
let world: World;
let alice: WorldUser;
let bob: WorldUser;
let isPaused = false;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'colink-primary-'));
  chmodSync(directory, 0o755);
  primary = await startPostgres({ dataDir: join(directory, 'postgres') });
  replica = await startReplica(primary);
  world = await startWorld('replica', 'auto', { postgresUrl: primary.url, postgresReplicaUrl: replica.url });
  [alice, bob] = [await world.user('alice'), await world.user('bob')];
});
afterEach(() => near());
afterAll(async () => {
  await world?.close();
  await replica?.stop();
  await primary?.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function pause(): Promise<void> {
  await near();
  await replica.pause();
  isPaused = true;
}

/** The replica replays, is not behind, and the Worker reads from it. */
async function near(): Promise<void> {
  if (isPaused) await replica.resume();
  isPaused = false;
  await replica.caughtUp();
  await expect.poll(readsReplica, { timeout: 20_000, interval: 250 }).toBe(true);
}

/** By the replica's own log: what the Worker has just asked it. */
async function readsReplica(): Promise<boolean> {
  const before = (await replicaLog()).filter(isListing).length;
  await read(alice, '/v1/channels');
  return (await replicaLog()).filter(isListing).length > before;
}
const replicaLog = async () => readQueries(await readFile(join(replica.dataDir, 'server.log'), 'utf8'));
const isListing = ({ statement }: { statement: string }): boolean => statement.includes('lower(ch.name)');

interface Read {
  readonly status: number;
  readonly body: unknown;
  readonly ms: number;
}

/** Past the client, which would ask for what it has changed. */
async function read({ token }: WorldUser, path: string, consistency?: string): Promise<Read> {
  const since = performance.now();
  const response = await fetch(world.baseUrl + path, { headers: { authorization: `Bearer ${token}`, ...(consistency !== undefined && { [CONSISTENCY_HEADER]: consistency }) } });
  const body: unknown = await response.json();
  return { status: response.status, body, ms: performance.now() - since };
}

const pageOf = ({ body }: Read): MessagePage => messagePageSchema.parse(body);
const history = (user: WorldUser, channel: string, consistency?: string) => read(user, `/v1/channels/${channel}/messages?limit=100`, consistency).then(pageOf);
const names = ({ body }: Read): string[] => (body as { data: { name: string }[] }).data.map(({ name }) => name);
async function say(user: WorldUser, channel: string, text: string, thread_id?: string): Promise<{ message_id: string; seq: number; pos: number | null }> {
  const { message_id, seq, pos } = await user.api.send(channel, { client_msg_id: uuidv7(), text, ...(thread_id && { thread_id }) });
  if (seq === null || message_id === null) throw new Error('the message has no place');
  return { message_id, seq, pos };
}

async function drained(channel: string, seq: number): Promise<void> {
  await expect.poll(async () => (await history(alice, channel, PRIMARY)).as_of_seq, { timeout: 10_000, interval: 50 }).toBeGreaterThanOrEqual(seq);
}

/** A channel with some messages, replayed. */
async function conversation(name: string, people: readonly WorldUser[], texts = ['one', 'two', 'three']): Promise<string> {
  const channel = await world.channel(`${name}-${uuidv7().slice(-6)}`, people);
  let head = 0;
  for (const text of texts) head = (await say(alice, channel, text)).seq;
  await drained(channel, head);
  await replica.caughtUp();
  return channel;
}

async function makePrivate(member: WorldUser): Promise<string> {
  const { id } = await alice.api.createChannel({ name: `secret-${uuidv7()}`, kind: 'private', topic: '' });
  await world.db.insert(members).values({ channel_id: id, user_id: member.id, role: 'member', version: 2, joined_at: new Date() });
  return id;
}

async function removeFrom(channel: string, { id }: WorldUser): Promise<void> {
  const response = await fetch(`${world.baseUrl}/v1/channels/${channel}/members/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${alice.token}` } });
  expect(response.status).toBe(204);
}

describe('a read with a token', () => {
  it('is never stale while replay is paused, and one without is, so it was the token; the client sends it by itself', async () => {
    await conversation('warm', [alice]);
    await pause();
    await alice.api.createChannel({ name: 'too-new', kind: 'public', topic: '' });
    expect(names(await read(alice, '/v1/channels?limit=100'))).not.toContain('too-new');
    for (let round = 0; round < 5; round++) {
      const made = Array.from({ length: 4 }, (_, n) => `round-${round}-${n}-${uuidv7().slice(-6)}`);
      await Promise.all(made.map((name) => alice.api.createChannel({ name, kind: 'public', topic: '' })));
      const seen: string[] = [];
      for (let cursor: string | undefined, more = true; more; ) {
        const page = await alice.api.channels(cursor);
        seen.push(...page.data.map(({ name }) => name ?? ''));
        [cursor, more] = [page.next_cursor ?? undefined, page.next_cursor !== null];
      }
      expect(seen).toEqual(expect.arrayContaining(made));
    }
  });

  it('of another kind, or from a future, is served by the primary', async () => {
    const channel = await conversation('tokens', [alice]);
    await pause();
    const { seq } = await say(alice, channel, 'four');
    await drained(channel, seq);
    expect((await history(alice, channel)).as_of_seq).toBeLessThan(seq);
    for (const token of ['nonsense', '0/16B3748', PRIMARY, 'x'.repeat(500)]) expect((await history(alice, channel, token)).as_of_seq).toBe(seq);
  });
});

describe('whoever may not see it any more (G5)', () => {
  it('reads nothing by a replica on which they still may: not by a listing, a page, a thread, or a search', async () => {
    const channel = await makePrivate(bob);
    const root = await say(alice, channel, 'zanzibar');
    await drained(channel, root.seq);
    await expect.poll(async () => (await bob.api.search({ q: 'zanzibar' })).data.length, { timeout: 20_000, interval: 250 }).toBe(1);
    await pause();
    const paths = [`/v1/channels/${channel}/messages`, `/v1/channels/${channel}/messages/${root.message_id}/replies`, '/v1/channels?limit=100', '/v1/search/messages?q=zanzibar'];
    const seen = () => Promise.all(paths.map(async (path) => JSON.stringify((await read(bob, path)).body)));
    for (const body of await seen()) expect(body).toMatch(new RegExp(`zanzibar|${channel}|as_of_seq`));
    await removeFrom(channel, bob);
    for (const body of await seen()) expect(body).not.toMatch(new RegExp(`zanzibar|${channel}`));
    expect((await read(bob, paths[0] ?? '')).status).toBe(404);
    await replica.resume();
    isPaused = false;
  });

  it('reads nothing in the middle of being removed that was written after, however many reads are under way', async () => {
    const channel = await makePrivate(bob);
    await say(alice, channel, 'before');
    await near();
    const reads: { text: string; startedAt: number }[] = [];
    const over = new AbortController();
    const reader = async () => {
      for (; !over.signal.aborted; await sleep(30)) {
        const startedAt = performance.now();
        reads.push({ startedAt, text: JSON.stringify((await read(bob, `/v1/channels/${channel}/messages`)).body) });
      }
    };
    const readers = Array.from({ length: 6 }, reader);
    await sleep(500);
    await removeFrom(channel, bob);
    const removedAt = performance.now();
    const { seq } = await say(alice, channel, 'afterwards');
    await drained(channel, seq);
    await sleep(500);
    over.abort();
    await Promise.all(readers);
    expect(reads.some(({ text }) => text.includes('before'))).toBe(true);
    expect(reads.filter(({ text }) => text.includes('afterwards'))).toEqual([]);
    expect(reads.filter(({ startedAt, text }) => startedAt > removedAt && text.includes('before'))).toEqual([]);
  });

  it('finds no channel in a list that was made private since', async () => {
    const { id } = await alice.api.createChannel({ name: `opened-${uuidv7()}`, kind: 'public', topic: '' });
    await pause();
    const listed = async () => JSON.stringify((await read(bob, '/v1/channels?limit=100')).body);
    expect(await listed()).toContain(id);
    await alice.api.changeChannel(id, 1, { kind: 'private' });
    expect(await listed()).not.toContain(id);
  });

  it('reads nothing with a credential that was revoked, nor as a guest what was shown to them as a member', async () => {
    const [carol, dora] = [await world.user(`carol-${uuidv7().slice(-6)}`), await world.user(`dora-${uuidv7().slice(-6)}`)];
    const channel = await conversation('public', [alice, dora]);
    await pause();
    expect(JSON.stringify((await read(carol, '/v1/channels?limit=100')).body)).toContain('public');
    await world.db.update(users).set({ role: 'guest' }).where(eq(users.id, carol.id));
    expect((await read(carol, '/v1/channels?limit=100')).body).toEqual({ data: [], next_cursor: null });
    expect((await history(dora, channel)).data).toHaveLength(3);
    await world.db.update(credentials).set({ revoked_at: new Date() }).where(eq(credentials.user_id, dora.id));
    for (const path of [`/v1/channels/${channel}/messages`, '/v1/channels', '/v1/search/messages?q=x']) expect((await read(dora, path)).status).toBe(401);
  });
});

it('what the replica does not know yet, the primary is asked for', async () => {
  const channel = await conversation('unknown', [alice]);
  await pause();
  const { message_id, seq, pos } = await say(alice, channel, 'new');
  await drained(channel, seq);
  expect((await read(alice, `/v1/channels/${channel}/messages/${message_id}/replies`)).status).toBe(200);
  for (const place of [message_id, String(pos)]) expect(pageOf(await read(alice, `/v1/channels/${channel}/messages?around=${place}`)).data.at(-1)?.text).toBe('new');
  const { before_cursor: before } = pageOf(await read(alice, `/v1/channels/${channel}/messages?limit=1`, PRIMARY));
  expect(pageOf(await read(alice, `/v1/channels/${channel}/messages?before=${before}`)).data.map(({ text }) => text)).toEqual(['one', 'two', 'three']);
  const { after_cursor: after } = pageOf(await read(alice, `/v1/channels/${channel}/messages?around=3&limit=2`, PRIMARY));
  expect(pageOf(await read(alice, `/v1/channels/${channel}/messages?after=${after}`)).data.map(({ text }) => text)).toEqual(['new']);
});

it('G3 G6: a page of a replica that is behind, and the events after its as_of_seq, are the fresh page', async () => {
  const channel = await conversation('fold', [alice, bob]);
  const [first] = (await history(alice, channel)).data;
  const message = first?.id ?? '';
  await pause();
  await alice.api.edit(channel, message, 'one, edited');
  for (const emoji of ['👍', '🎉']) await bob.api.react(channel, message, emoji);
  await bob.api.unreact(channel, message, '👍');
  await say(alice, channel, 'a reply', message);
  const { message_id: doomed } = await say(alice, channel, 'to be deleted');
  await alice.api.remove(channel, doomed);
  const { seq: last } = await say(bob, channel, 'the last');
  await drained(channel, last);
  const [old, fresh] = [await history(bob, channel), await history(bob, channel, PRIMARY)];
  expect(fresh.as_of_seq).toBe(last);
  expect(old).toMatchObject({ as_of_seq: last - 8, data: [{ text: 'one' }, { text: 'two' }, { text: 'three' }] });
  const { log } = await observeTables({ db: world.db, channelId: channel });
  const entry = { ...(await bob.api.channel(channel)), epoch: old.epoch, as_of_seq: old.as_of_seq, last_pos: 3, read_pos: 0 };
  const opened = applyPage(channelState(entry), old, null, 'replace', bob.id);
  const state = opened && applyEvents(opened, log.map(({ event }) => event).filter(({ seq }) => seq > old.as_of_seq), bob.id);
  expect(state?.history?.ids.map((id) => state.messages.get(id)?.message)).toEqual(fresh.data);
});

describe('a replica that fails', () => {
  it('by standing still is not read by anybody once it lags 5 s, and is again when it has caught up', async () => {
    const channel = await conversation('lag', [alice]);
    await pause();
    const { seq } = await say(alice, channel, 'late');
    await drained(channel, seq);
    expect((await history(alice, channel)).as_of_seq).toBe(seq - 1);
    await sleep(TOO_OLD_MS);
    for (let n = 0; n < 5; n++) expect((await history(alice, channel)).as_of_seq).toBe(seq);
    expect(await readsReplica()).toBe(false);
    await near();
  });

  it.each(['SIGKILL', 'SIGSTOP'] as const)('by %s costs three reads their patience, and nobody after them anything', async (signal) => {
    const channel = await conversation('dead', [alice]);
    const read = async (): Promise<number> => {
      const since = performance.now();
      expect((await history(alice, channel)).data).toHaveLength(3);
      return performance.now() - since;
    };
    const usual = Math.max(await read(), await read(), await read());
    replica.signal(signal);
    try {
      for (let n = 0; n < 3; n++) expect(await read()).toBeLessThan(2_500);
      const after: number[] = [];
      for (let n = 0; n < 40; n++, await sleep(100)) after.push(await read());
      expect(after.toSorted((a, b) => a - b)[20]).toBeLessThan(Math.max(2 * usual, 200));
      expect(Math.max(...after)).toBeLessThan(Math.max(4 * usual, 500));
    } finally {
      if (signal === 'SIGKILL') await replica.restart();
      else replica.signal('SIGCONT');
    }
    await near();
  });
});

it('relay, consumers, drains, rooms and inboxes never read a replica: of what one that stands still does not know they lack nothing, and it has heard of none of them', async () => {
  await pause();
  const dora = await world.user(`dora-${uuidv7().slice(-6)}`);
  const channel = await world.channel(`pipeline-${uuidv7().slice(-6)}`, [alice, dora]);
  const live = await openRawSocket(world.baseUrl, channel, dora.token);
  const texts = Array.from({ length: 60 }, (_, n) => `quetzal ${n}`);
  let head = 0;
  for (const text of texts) head = (await say(alice, channel, text)).seq;
  await expect.poll(() => live.events().at(-1)?.seq, { timeout: 10_000 }).toBe(head);
  await expect.poll(() => observeTables({ db: world.db, channelId: channel }).then(({ index, drained_seq }) => [index.length, drained_seq]), { timeout: 30_000, interval: 250 }).toEqual([texts.length, head]);
  const badge = () => dora.api.bootstrap().then(({ channels }) => channels.find(({ id }) => id === channel)?.last_pos);
  expect(await badge()).toBe(texts.length);
  live.socket.close();
  const statements = await replicaLog();
  expect([...new Set(statements.map(({ application }) => application))].filter((name) => name !== '').toSorted()).toEqual(REPLICA_CLIENTS);
  expect(statements.filter(({ statement }) => /\b(insert into|update \S+ set|delete from)\b/i.test(statement))).toEqual([]);
  await near();
});

it('tells where reads were served, and how far behind it was', async () => {
  const scrape = async () => (await fetch(`${world.baseUrl}/metrics`)).text();
  await pause();
  await read(alice, '/v1/channels', PRIMARY);
  await read(alice, `/v1/channels/${uuidv7()}/messages`);
  // An isolate reports with the first request after five seconds.
  await sleep(5_500);
  await read(alice, '/v1/channels');
  await expect.poll(scrape, { timeout: 15_000, interval: 500 }).toMatch(/colink_postgres_reads_total\{server="replica",reason=""\} [1-9]/);
  const text = await scrape();
  for (const reason of ['behind', 'refused']) expect(text).toMatch(new RegExp(`colink_postgres_reads_total\\{server="primary",reason="${reason}"\\} [1-9]`));
  expect(text).toMatch(/colink_postgres_replica_lag_seconds_count [1-9]/);
});

it('a refusal is a problem, as ever', async () => {
  await expect(alice.api.history(uuidv7())).rejects.toBeInstanceOf(ProblemError);
});
