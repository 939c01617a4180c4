import { describe, expect, it } from 'vitest';
import type { Identity } from './identity.ts';
import { IdentityCache } from './identity-cache.ts';

/** What is promised, whatever the cache has it from. */
const [FRESH_MS, STALE_MS] = [5_000, 15 * 60_000];

const identity: Identity = {
  actor: { user_id: 'u', credential_id: 'c', expires_at: 10 * STALE_MS },
  user: { id: 'u', handle: 'u', display_name: 'U', role: 'member' },
  kind: 'personal',
  scopes: new Set(),
};
const away = new Error('away');

function setup() {
  const world = { now: 0, loads: 0, answer: async (): Promise<Identity | null> => identity, patient: true };
  const cache = new IdentityCache({
    now: () => world.now,
    within: (_, promise) => (world.patient ? promise : Promise.reject(away)),
    isAway: (error) => error === away,
  });
  const load = () => {
    world.loads += 1;
    return world.answer();
  };
  return { world, cache, find: (secret = 's') => cache.find(secret, load) };
}

describe('the identity cache', () => {
  it('asks once for many at the same time, and not again while fresh', async () => {
    const { world, cache, find } = setup();
    expect(await Promise.all([find(), find(), find()])).toEqual([identity, identity, identity]);
    world.now = FRESH_MS - 1;
    expect(cache.peek('s')).toBe(identity);
    world.now = FRESH_MS;
    expect(cache.peek('s')).toBeUndefined();
    await find();
    expect(world.loads).toBe(2);
  });

  it('G5: a revoked identity ends with the next look', async () => {
    const { world, find } = setup();
    await find();
    world.answer = async () => null;
    world.now = FRESH_MS;
    expect(await find()).toBeNull();
  });

  it('G5: forgetting during a look voids what the look brings', async () => {
    const { world, cache, find } = setup();
    const looking = find();
    cache.forget('s');
    await looking;
    expect(cache.peek('s')).toBeUndefined();
    expect(world.loads).toBe(1);
  });

  it('takes a stale identity only while the store is away, and only so long', async () => {
    const { world, find } = setup();
    await find();
    world.answer = async () => {
      throw away;
    };
    world.now = STALE_MS - 1;
    expect(await find()).toBe(identity);
    world.now = STALE_MS;
    await expect(find()).rejects.toBe(away);
  });

  it('does not take a stale identity for another failure', async () => {
    const { world, find } = setup();
    await find();
    world.now = FRESH_MS;
    world.answer = async () => {
      throw new Error('a fault of ours');
    };
    await expect(find()).rejects.toThrow('a fault of ours');
  });

  it('pauses between looks while the store is away, so that sending is not held up', async () => {
    const { world, find } = setup();
    await find();
    world.now = FRESH_MS;
    world.patient = false;
    await find();
    await find();
    expect(world.loads).toBe(2);
    world.now += 2_000;
    await find();
    expect(world.loads).toBe(3);
  });

  it('starts a new look where one was cut off', async () => {
    const { world, find } = setup();
    world.answer = () => new Promise(() => {});
    world.patient = false;
    await expect(find()).rejects.toBe(away);
    world.patient = true;
    world.answer = async () => identity;
    expect(await find()).toBe(identity);
  });

  it('refuses what has expired, fresh or stale', async () => {
    const { world, cache, find } = setup();
    world.answer = async () => ({ ...identity, actor: { ...identity.actor, expires_at: 100 } });
    await find();
    world.now = 100;
    expect(cache.peek('s')).toBeNull();
    expect(await find()).toBeNull();
  });

  it('G8: remembers unknown secrets too, but not without bound', async () => {
    const { world, cache, find } = setup();
    world.answer = async () => null;
    for (let n = 0; n <= 10_000; n++) await find(`s${n}`);
    expect(cache.peek('s0')).toBeUndefined();
    expect(cache.peek('s10000')).toBeNull();
  });
});
