import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Connection } from '../../db/client.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { appendRun, eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { InfrastructureError } from './classify.ts';
import { createEventLogSource } from './event-log-source.ts';
import type { ConsumerGroup } from './group.ts';
import { groupService } from './group-runner.ts';
import { createLedger, ledgerGroup, readLedger } from './ledger.fixture.ts';
import { RestartableSource } from './restartable-source.ts';
import type { Service } from './service.ts';
import { createWatchdog, StreamActs } from './watchdog.ts';

const log = pino({ level: 'silent' });
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

describe('the watchdog over a group', () => {
  let database: TestDatabase;
  let pool: Connection;

  beforeAll(async () => {
    database = await testDatabase();
    await createLedger(database.connection.sql);
    pool = connect(database.url, { max: 4, applicationName: 'colink-test', idleInTransaction: 2_000 });
  });

  afterAll(async () => {
    await pool.close(1);
    await database.drop();
  });

  function start(group: ConsumerGroup<ChannelEvent>, stallMs: number, now: () => number = Date.now): { stalls: string[]; services: Service[] } {
    const { id, topics } = group;
    const { sql } = pool;
    const source = new RestartableSource(() => createEventLogSource({ databaseUrl: database.url, sql, groupId: id, topics, onError: () => {} }));
    const stalls: string[] = [];
    const acts = new StreamActs(now);
    const ports = { sql, log, chance: { now: () => new Date(), random: () => 0.5 }, onTaken: () => {}, onFailed: acts.note.bind(acts) };
    const service = groupService(group, source, ports);
    const watchdog = createWatchdog({
      groups: [{ id, source, actedAt: acts.of(id) }], log, now, onStalled: (stalled) => stalls.push(stalled), stallMs, lookEveryMs: 100,
    });
    void service.run();
    void watchdog.run();
    return { stalls, services: [watchdog, service] };
  }

  const end = (services: readonly Service[]): Promise<unknown> => Promise.all(services.map((service) => service.stop()));

  it('G2, G8: a batch that hangs in its transaction loses it to Postgres, and the next instance takes its records once', async () => {
    const [key, id] = [randomUUID(), `hung-${randomUUID()}`];
    const ledger = ledgerGroup(id);
    let calls = 0;
    const { stalls, services } = start({ ...ledger, apply: async (tx, events) => {
      await ledger.apply(tx, events);
      if ((calls += 1) === 1) await new Promise(() => {});
    } }, 700);
    await appendRun(database.connection.sql, key, 1, 20);
    await eventually(async () => (await readLedger(pool.sql, id)).get(key)?.length === 20, 15_000);
    expect((await readLedger(pool.sql, id)).get(key)).toEqual(upTo(20));
    expect(stalls).not.toEqual([]);
    await end(services);
  });

  it('leaves a group alone that waits for a part that is away', async () => {
    const [key, id] = [randomUUID(), `away-${randomUUID()}`];
    // A second goes by with each try that fails, and none between.
    let [tries, at] = [0, 0];
    const { stalls, services } = start(ledgerGroup(id, {
      before: () => {
        if (tries > 4) return;
        [tries, at] = [tries + 1, at + 1_000];
        throw new InfrastructureError('away');
      },
    }), 1_800, () => at);
    await appendRun(database.connection.sql, key, 1, 5);
    await eventually(async () => (await readLedger(pool.sql, id)).get(key)?.length === 5, 20_000);
    expect(at).toBe(5_000);
    expect(stalls).toEqual([]);
    await end(services);
  });
});
