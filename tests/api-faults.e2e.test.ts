import { setTimeout as sleep } from 'node:timers/promises';
import { eq, sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../db/client.ts';
import { eventLog } from '../db/schema/event-tables.ts';
import { channels } from '../db/schema/tables.ts';
import { detect, isPresent } from '../dev/components.ts';
import { logQueries } from '../dev/query-log.ts';
import { channelSchema, type Channel } from '../protocol/api.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const HERD = 1_000;
const DUPLICATES = 50;
const CRASHES = 4;

let world: World;
let alice: WorldUser;

beforeAll(async () => {
  world = await startWorld('api-faults');
  alice = await world.user('alice');
});
afterAll(() => world?.close());

interface Made {
  readonly status: number;
  readonly replayed: boolean;
  readonly body: unknown;
}

async function create(name: string, key: string): Promise<Made> {
  const headers = { authorization: `Bearer ${alice.token}`, 'content-type': 'application/json', 'idempotency-key': key };
  const response = await fetch(`${world.baseUrl}/v1/channels`, { method: 'POST', headers, body: JSON.stringify({ name }) });
  return { status: response.status, replayed: response.headers.has('idempotency-replayed'), body: await response.json() };
}

/** As a client does: until there is an answer that stands. */
async function createSurely(name: string, key: string): Promise<Made> {
  for (const deadline = performance.now() + 60_000; ; await sleep(500 + 1_000 * Math.random())) {
    const made = await create(name, key).catch(() => null);
    if (made && ![409, 503].includes(made.status)) return made;
    if (performance.now() > deadline) throw new Error('no answer that stands');
  }
}

const channelOf = ({ status, body }: Made): Channel => {
  expect({ status, body }).toMatchObject({ status: 201 });
  return channelSchema.parse(body);
};

/** How often it was made, by table and by outbox. */
async function timesMade(name: string): Promise<[number, number]> {
  const rows = await world.db.select({ id: channels.id }).from(channels).where(eq(channels.name, name));
  const [id] = rows.map((row) => row.id);
  if (id === undefined) return [0, 0];
  const told = await world.db.select({ position: eventLog.position }).from(eventLog).where(sql`key = ${id} AND type = 'colink.channel.created.v1'`);
  return [rows.length, told.length];
}

describe('an Idempotency-Key (G2)', () => {
  it(`of ${DUPLICATES} requests at once: one effect, one answer for all, also for those who have to come again`, async () => {
    const [name, key] = [`dup-${uuidv7()}`, uuidv7()];
    const first = await Promise.all(Array.from({ length: DUPLICATES }, () => create(name, key)));
    expect(first.filter(({ status, replayed }) => status === 201 && !replayed)).toHaveLength(1);
    expect(first.filter(({ status }) => status !== 201 && status !== 409)).toEqual([]);
    const all = await Promise.all(first.map((made) => (made.status === 201 ? made : createSurely(name, key))));
    expect(new Set(all.map((made) => JSON.stringify(channelOf(made)))).size).toBe(1);
    expect(await timesMade(name)).toEqual([1, 1]);
  });

  it(`holds across ${CRASHES} deaths of the Worker between commit and reply`, async () => {
    let between = 0;
    for (let round = 0; round < CRASHES; round++) {
      const [name, key] = [`crash-${round}-${uuidv7()}`, uuidv7()];
      const reply = create(name, key).then(() => 'answered', () => 'cut off');
      while ((await timesMade(name))[0] === 0) await sleep(1);
      process.kill(world.pids()['worker'] ?? 0, 'SIGKILL');
      const outcome = await reply;
      const again = await createSurely(name, key);
      channelOf(again);
      expect(again.replayed).toBe(true);
      expect(await timesMade(name)).toEqual([1, 1]);
      between += outcome === 'cut off' ? 1 : 0;
    }
    expect(between).toBeGreaterThan(0);
  });
});

describe('the cache of profiles', () => {
  async function statementsDuring(work: () => Promise<void>): Promise<string[]> {
    const { sql: log, close } = connect(world.postgresUrl, { max: 1, applicationName: 'colink-tests' });
    const stop = await logQueries(log);
    await work();
    const logged = await stop();
    await close();
    return logged.filter(({ application }) => application === 'colink-worker').map(({ statement }) => statement);
  }
  const isProfile = (statement: string): boolean => /from users u where u\.id = \S+$/i.test(statement.trim());
  const profile = async (id: string): Promise<number> => {
    const response = await fetch(`${world.baseUrl}/v1/users/${id}`, { headers: { authorization: `Bearer ${alice.token}` } });
    await response.arrayBuffer();
    return response.status;
  };

  it(`asks Postgres once for a key that ${HERD} ask for at once and nobody knows; should they take long, once in five seconds`, async () => {
    const { id } = await world.user(`herd-${uuidv7().slice(-6)}`);
    expect(await profile(alice.id)).toBe(200);
    const since = performance.now();
    const statements = await statementsDuring(async () => {
      expect(new Set(await Promise.all(Array.from({ length: HERD }, () => profile(id))))).toEqual(new Set([200]));
    });
    const asked = statements.filter(isProfile).length;
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(1 + Math.floor((performance.now() - since) / 5_000));
  });

  it.skipIf(!isPresent(detect().redis))('and all else goes on when Redis dies, and keys of before hold (G2)', async () => {
    const [name, key] = [`redis-${uuidv7()}`, uuidv7()];
    const before = channelOf(await create(name, key));
    const people = await Promise.all(Array.from({ length: 10 }, (_, n) => world.user(`r${n}-${uuidv7().slice(-6)}`)));
    process.kill(world.pids()['redis'] ?? 0, 'SIGKILL');
    for (const { id } of [...people, ...people]) expect(await profile(id)).toBe(200);
    const again = await create(name, key);
    expect([again.replayed, channelOf(again)]).toEqual([true, before]);
    expect(await timesMade(name)).toEqual([1, 1]);
  });
});
