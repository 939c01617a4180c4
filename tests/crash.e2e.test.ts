import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { detect, isPresent } from '../dev/components.ts';
import { whyNoBroker } from '../dev/transport.ts';
import { check } from './support/checker.ts';
import { readIrcSample } from './support/irc.ts';
import { httpWriter, Load, socketWriter, type Writer } from './support/load.ts';
import { observeStores } from './support/observe.ts';
import { Reader } from './support/reader.ts';
import { readTopic } from './support/topic.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const found = detect();
const isCi = Boolean(process.env['CI']);
const noBroker = process.env['KAFKA_BROKERS'] ? 'the broker is not ours' : whyNoBroker(found);
const withoutBroker = noBroker !== null && !isCi;
const withoutRedis = !isPresent(found.redis) && !isCi;

/** `processes` by the names the stack has for them; `missing`: why they cannot be killed here. */
interface Victim {
  readonly name: string;
  readonly processes: readonly string[];
  readonly missing?: string | null | undefined;
}
const broker = { missing: withoutBroker ? noBroker : null };
const VICTIMS: readonly Victim[] = [
  { name: 'the Worker with its rooms', processes: ['worker'] },
  { name: 'Postgres', processes: ['postgres'] },
  { name: 'the broker', processes: ['kafka'], ...broker },
  { name: 'the relay', processes: ['relay'], ...broker },
  { name: 'the consumers', processes: ['fleet'] },
  { name: 'the cache', processes: ['redis', 'redis_rest'], missing: withoutRedis ? 'no redis-server' : null },
  { name: 'all of them at once', processes: ['worker', 'postgres', 'fleet', ...(withoutBroker ? [] : ['kafka', 'relay'])] },
];

const PER_SECOND = 120;
const SECONDS = 6;
const KILL_AFTER_MS = 2_000;
const HTTP_WRITERS = 6;
const SOCKET_WRITERS = 3;

let world: World;
let users: WorldUser[];
let texts: string[];

beforeAll(async () => {
  world = await startWorld('crash', withoutBroker ? 'embedded' : 'kafka');
  users = await Promise.all(Array.from({ length: HTTP_WRITERS + SOCKET_WRITERS }, (_, index) => world.user(`writer${index}`)));
  texts = (await readIrcSample()).map(({ text }) => text);
});
afterEach(({ task }) => task.result?.state === 'fail' && world.keep());
afterAll(() => world?.close());

function writersOf(channelId: string): Writer[] {
  return users.map(({ id, api, token }, index) => (index < HTTP_WRITERS ? httpWriter(id, api, channelId) : socketWriter(id, api, channelId, token)));
}

function startReaders(channelId: string, names: readonly string[]): Reader[] {
  const [user] = users;
  if (!user) throw new Error('a reader is a user');
  return names.map((name) => new Reader({ name, baseUrl: world.baseUrl, channelId, token: user.token, epoch: 1, after: 0 }).start());
}

/** Ends a process at once and waits until the stack has another in its place. */
async function kill(name: string): Promise<void> {
  const pid = world.pids()[name];
  if (pid === undefined) throw new Error(`the stack runs no ${name}`);
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => world.pids()[name] ?? pid, { timeout: 45_000, interval: 50 }).not.toBe(pid);
}

/** A load through which these processes are killed; gives all that was seen of the channel after it. */
async function runThrough(processes: readonly string[]) {
  const name = processes.join('-');
  const channelId = await world.channel(`crash-${name}`, users);
  const readers = startReaders(channelId, ['steady', 'restless']);
  await Promise.all(readers.map((reader) => reader.welcomed()));
  const writers = writersOf(channelId);
  const load = new Load(name, writers, texts);
  const running = load.run(PER_SECOND, SECONDS);
  const dropping = setInterval(() => readers[1]?.drop(), 1_000);
  await sleep(KILL_AFTER_MS);
  await Promise.all(processes.map(kill));
  await running;
  clearInterval(dropping);

  const [probe] = startReaders(channelId, ['probe']);
  const head = (await probe?.welcomed())?.head ?? 0;
  const all = [...readers, ...(probe ? [probe] : [])];
  await Promise.all(all.map((reader) => reader.until(head, 20_000)));
  const stores = await observeStores({ api: users[0]?.api ?? fail(), db: world.db, channelId }, head, 40_000);
  const topic = world.brokers === null ? null : await readTopic(world.brokers, channelId);
  all.forEach((reader) => reader.stop());
  writers.forEach((writer) => writer.close());
  return { load, readers: all, seen: { attempts: load.attempts, acknowledged: load.acknowledged, readers: all, ...stores, topic, head } };
}

const fail = (): never => {
  throw new Error('there is no user');
};

describe('kill -9 in the middle of a load', () => {
  for (const { name, processes, missing = null } of VICTIMS) {
    const leftOut = missing === null ? '' : ` (left out: ${missing})`;
    it.skipIf(missing !== null)(`of ${name}: nothing is lost, doubled or out of order (G1, G2, G3, G4, G6, G7)${leftOut}`, async () => {
      const { load, readers, seen } = await runThrough(processes);
      expect(load.refusals).toEqual([]);
      expect(load.acknowledged.length).toBeGreaterThan((PER_SECOND * SECONDS) / 2);
      expect(readers.flatMap(({ faults }) => faults)).toEqual([]);
      expect(readers.map(({ name: reader, unrecovered }) => ({ reader, unrecovered }))).toEqual(readers.map(({ name: reader }) => ({ reader, unrecovered: 0 })));
      // At first, after a drop, after the kill: more where the machine is fast enough.
      expect(readers[1]?.welcomes).toBeGreaterThan(2);
      const violations = check(seen);
      expect(violations.slice(0, 20), `${violations.length} violations`).toEqual([]);
      const seenIn = `${seen.log.length} events, ${seen.topic?.length ?? 'no'} records, ${seen.index.length} indexed`;
      console.info(`${name}: ${load.acknowledged.length} acknowledged, ${load.retries} repetitions, slowest ${Math.round(load.slowest)} ms; ${seenIn}`);
    });
  }
});
