import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { uuidv7 } from 'uuidv7';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countPendingDeadLetters } from '../../db/queries/dead-letters.ts';
import { countParkedKeys } from '../../db/queries/parking.ts';
import { findUser, signIn } from '../../db/queries/users.ts';
import { detect, isPresent } from '../../dev/components.ts';
import { redisPart, redisRestPart } from '../../dev/parts.ts';
import { freePort } from '../../dev/ports.ts';
import type { RunningPart } from '../../dev/supervisor.ts';
import type { Profile } from '../../protocol/api.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { must } from '../../tests/support/room-core.ts';
import { redisBreaker, redisLevel } from '../../workers/cache/redis-level.ts';
import { createEventLogSource } from '../runtime/event-log-source.ts';
import type { EventSource } from '../runtime/event-source.ts';
import { groupService } from '../runtime/group-runner.ts';
import type { Service } from '../runtime/service.ts';
import { totalLag } from '../runtime/stream-lag.ts';
import { cacheInvalidator } from './group.ts';
import { redisCache } from './redis.ts';

const TOKEN = 'token';
const { redis } = detect();

describe.skipIf(!isPresent(redis))('cache-invalidator, on a real Redis', () => {
  let database: TestDatabase;
  let folder: string;
  let parts: RunningPart[];
  let ports: { readonly redis: number; readonly rest: number };
  let ahead: number;
  let failures: number;
  let source: EventSource;
  let service: Service;

  beforeEach(async () => {
    database = await testDatabase();
    folder = await mkdtemp(join(tmpdir(), 'colink-cache-'));
    [parts, ahead, failures] = [[], 0, 0];
    ports = { redis: await freePort(), rest: await freePort() };
    const { sql } = database.connection;
    source = createEventLogSource({ databaseUrl: database.url, sql, groupId: 'cache-invalidator', topics: ['user.events'], onError: () => (failures += 1) });
    const group = cacheInvalidator(redisCache({ url: `http://127.0.0.1:${ports.rest}`, token: TOKEN }), () => Date.now() + ahead);
    service = groupService(group, source, { sql, log: pino({ level: 'silent' }), chance: { now: () => new Date(), random: Math.random }, onTaken: () => {} });
    void service.run();
  });

  afterEach(async () => {
    await service.stop();
    for (const part of parts) await part.stop();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  async function startRedis(): Promise<void> {
    parts.unshift(await redisPart(folder, isPresent(redis) ? redis.path : '', ports.redis)(() => {}));
    parts.unshift(await redisRestPart(folder, { port: ports.rest, redisUrl: `redis://127.0.0.1:${ports.redis}`, token: TOKEN })(() => {}));
  }

  /** The level as the Worker has it. */
  function level() {
    const shared = redisLevel({ UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${ports.rest}`, UPSTASH_REDIS_REST_TOKEN: TOKEN }, redisBreaker(), () => {});
    if (shared === null) throw new Error('no level');
    return shared;
  }

  /** Makes a user, or gives the one there is another name: the Worker's own deletion is lost. */
  const named = (subject: string, display_name: string): Promise<Profile> =>
    database.connection.db.transaction(async (tx) => {
      const { user } = must(await signIn(tx, { issuer: 'test', subject, handles: [subject], display_name }, new Date()));
      const profile = await findUser(tx, user.id);
      if (profile === null) throw new Error('there is no such user');
      return profile;
    });

  const quiet = (): Promise<void> => eventually(async () => totalLag(await source.lag()) === 0, 25_000);

  it('forgets the profile of who has changed, and nobody else\'s; and so does not take one that was read before (G7)', async () => {
    await startRedis();
    const [ada, bob] = [await named('ada', 'Ada'), await named('bob', 'Bob')];
    for (const user of [ada, bob]) await level().offer(user);
    await named('ada', 'Ada Lovelace');
    await quiet();
    expect([await level().get(ada.id), await level().get(bob.id)]).toEqual([null, bob]);
    await level().offer(ada);
    expect(await level().get(ada.id)).toBeNull();
  });

  it('waits for a Redis that is away: nothing is parked, nothing is a dead letter, and nothing is forgotten', async () => {
    const ada = await named('ada', 'Ada');
    await quiet();
    await named('ada', 'Ada Lovelace');
    await eventually(() => failures >= 2);
    expect(totalLag(await source.lag())).toBe(1);
    await startRedis();
    await level().offer(ada);
    await quiet();
    expect(await level().get(ada.id)).toBeNull();
    const { sql } = database.connection;
    expect([await countParkedKeys(sql), await countPendingDeadLetters(sql)]).toEqual([[], []]);
  });

  it('waits no longer than anything could be stale: then what it names has ended by itself (G8)', async () => {
    await named(uuidv7(), 'Ada');
    const subject = uuidv7();
    for (const name of ['Bob', 'Bobby']) await named(subject, name);
    await eventually(() => failures >= 1);
    expect(totalLag(await source.lag())).toBeGreaterThan(0);
    ahead = 601_000;
    await quiet();
  });
});
