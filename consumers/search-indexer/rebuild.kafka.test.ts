import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import { readRebuild } from '../../db/queries/search-rebuild.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../../tests/support/fleet.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { SearchTraffic } from '../../tests/support/search-traffic.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { checkIndex } from './verify.ts';

const broker = inject('kafkaBrokers');
const KINDS = ['messages', 'people', 'files'] as const;
const seed = seedOfRun();

describe.skipIf(broker === '')('a rebuild beside a fleet on Kafka', () => {
  let database: TestDatabase;
  let fleet: FleetProcess | null = null;

  beforeAll(async () => {
    database = await testDatabase();
  });

  afterAll(async () => {
    await fleet?.end('SIGKILL');
    await database.drop();
  });

  /** `colink search …` as a person runs it; killed after `killAfter` milliseconds if it lives so long. */
  async function colink(args: readonly string[], killAfter?: number): Promise<{ code: number | null; output: string }> {
    const child = spawn(process.execPath, ['cli/main.ts', 'search', ...args], { env: { PATH: process.env['PATH'], DATABASE_URL: database.url }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfter);
    await once(child, 'close');
    clearTimeout(timer);
    return { code: child.exitCode, output };
  }

  it(`G7: killed at random moments and resumed, under writes, with a fleet that is killed too, ends as the fold of the topics (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const { sql } = database.connection;
    const traffic = new SearchTraffic(database.connection, random);
    await traffic.open(6);
    for (let n = 0; n < 200; n += 1) await traffic.step();
    fleet = await startFleetProcess({ DATABASE_URL: database.url, KAFKA_BROKERS: broker });
    traffic.start(40);
    expect((await colink(['rebuild', '--dry-run'])).output).toMatch(/messages: \d+ rows would be read from postgres, with simple/);
    let kills = 0;
    try {
      for (let tries = 0; ; tries += 1) {
        const { code, output } = await colink(['rebuild', '--resume', '--config', 'english', '--page', '20', '--rate', '400'], (1_500 + random() * 3_000) * (1 + tries / 2));
        if (code === 0) break;
        if (code !== null) throw new Error(output);
        kills += 1;
        if (kills === 3) {
          await fleet.end('SIGKILL');
          fleet = await startFleetProcess({ DATABASE_URL: database.url, KAFKA_BROKERS: broker });
        }
        if (tries > 20) throw new Error('the rebuild never ends');
      }
    } finally {
      await traffic.stop();
    }
    for (const kind of KINDS) expect(await readRebuild(sql, kind)).toMatchObject({ state: 'swapped' });
    const expected = traffic.expected();
    const indexed = async () => new Map((await sql<{ id: string; text: string }[]>`SELECT s.id::text AS id, s.text FROM search_messages s`).map(({ id, text }) => [id, text]));
    const isRight = async () => (await Promise.all(KINDS.map((kind) => checkIndex(sql, kind, 'live')))).flat().every(({ equal }) => equal);
    await eventually(isRight, 40_000);
    expect(await indexed()).toEqual(expected);
    expect((await colink(['rebuild', '--drop-old'])).output).toContain('search_messages_old is dropped');
    const verified = await colink(['verify']);
    expect([verified.code, verified.output]).toEqual([0, expect.stringContaining('the same')]);
    await sql`DELETE FROM search_people`;
    expect(await colink(['verify', '--kind', 'people'])).toMatchObject({ code: 1, output: expect.stringContaining('WRONG') });
    console.info(`${traffic.steps} steps, the rebuild killed ${kills} times`);
  }, 240_000);
});
