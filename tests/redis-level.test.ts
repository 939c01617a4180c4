import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from '@upstash/redis';
import { uuidv7 } from 'uuidv7';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { profileKey } from '../db/cache-keys.ts';
import { detect, isPresent } from '../dev/components.ts';
import { redisPart, redisRestPart } from '../dev/parts.ts';
import { freePort } from '../dev/ports.ts';
import type { RunningPart } from '../dev/supervisor.ts';
import type { Profile } from '../protocol/api.ts';
import { sharedLevelContract } from '../workers/cache/shared-level.contract.ts';
import { redisBreaker, redisLevel } from '../workers/cache/redis-level.ts';

const ada: Profile = { id: uuidv7(), handle: 'ada', display_name: 'Ada 東京', role: 'member', avatar: null, title: '', pronouns: '', time_zone: null, is_bot: false, deactivated: false, version: 1 };
const TOKEN = 'token';

function levelAt(port: number, breaker = redisBreaker()) {
  const level = redisLevel({ UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${port}`, UPSTASH_REDIS_REST_TOKEN: TOKEN }, breaker, () => {});
  if (!level) throw new Error('no level');
  return level;
}

it('is none where none is configured', () => {
  expect(redisLevel({}, redisBreaker(), () => {})).toBeNull();
  expect(redisLevel({ UPSTASH_REDIS_REST_URL: '', UPSTASH_REDIS_REST_TOKEN: TOKEN }, redisBreaker(), () => {})).toBeNull();
});

const { redis } = detect();

describe.skipIf(!isPresent(redis))('on a real Redis', () => {
  const parts: RunningPart[] = [];
  let folder: string;
  let port: number;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colink-redis-'));
    const redisPort = await freePort();
    parts.unshift(await redisPart(folder, isPresent(redis) ? redis.path : '', redisPort)(() => {}));
    port = await freePort();
    parts.unshift(await redisRestPart(folder, { port, redisUrl: `redis://127.0.0.1:${redisPort}`, token: TOKEN })(() => {}));
  });
  afterAll(async () => {
    for (const part of parts) await part.stop();
    await rm(folder, { recursive: true, force: true });
  });

  sharedLevelContract(async () => levelAt(port));

  it('ends by itself: a profile after five minutes, the memory of a forgotten one after a quarter of one', async () => {
    const redis = new Redis({ url: `http://127.0.0.1:${port}`, token: TOKEN, enableTelemetry: false });
    const level = levelAt(port);
    await level.offer(ada);
    const kept = await redis.ttl(profileKey(ada.id));
    expect([kept > 290, kept <= 300]).toEqual([true, true]);
    await level.forget(ada.id);
    const left = await redis.ttl(profileKey(ada.id));
    expect([left > 10, left <= 15]).toEqual([true, true]);
    await redis.del(profileKey(ada.id));
    await level.offer(ada);
    expect(await level.get(ada.id)).toEqual(ada);
  });
});

describe('a Redis that fails is noticed by nobody', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
  });

  async function serve(answer: () => string | null): Promise<{ port: number; calls: () => number }> {
    let calls = 0;
    const port = await freePort();
    server = createServer((_, response) => {
      calls += 1;
      const text = answer();
      if (text !== null) response.setHeader('content-type', 'application/json').end(text);
    });
    await new Promise<void>((listening) => server?.listen(port, '127.0.0.1', listening));
    return { port, calls: () => calls };
  }

  it('nothing listens: a miss each time, and after five no more tries', async () => {
    const breaker = redisBreaker();
    const level = levelAt(await freePort(), breaker);
    for (let n = 0; n < 6; n++) expect(await level.get(ada.id)).toBeNull();
    await expect(level.offer(ada)).resolves.toBeUndefined();
    const { port, calls } = await serve(() => '{"result":null}');
    expect(await levelAt(port, breaker).get(ada.id)).toBeNull();
    expect(calls()).toBe(0);
  });

  it('no answer comes: a miss within its patience', async () => {
    const { port } = await serve(() => null);
    const since = performance.now();
    expect(await levelAt(port).get(ada.id)).toBeNull();
    expect(performance.now() - since).toBeLessThan(10_000);
  });

  it.each(['{"result":"nonsense"}', `{"result":${JSON.stringify(JSON.stringify({ ...ada, role: 'king' }))}}`, 'no JSON', '{"error":"ERR"}'])(
    'answers with %s: a miss',
    async (text) => {
      const { port } = await serve(() => text);
      expect(await levelAt(port).get(ada.id)).toBeNull();
    },
  );
});
