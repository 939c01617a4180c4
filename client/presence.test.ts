import { describe, expect, it } from 'vitest';
import type { UserPresence } from '../protocol/presence.ts';
import { seedOfRun } from '../tests/support/seed.ts';
import { NOBODY, applyPresence, currentStatus, presenceOf } from './presence.ts';
import { integer, pick, seededRandom } from './testing/random.ts';

const user = (user_id: string, state: UserPresence['state'], status: UserPresence['status'] = null): UserPresence => ({ user_id, state, status });
const frame = (users: UserPresence[] | null, full: boolean, present: number) => ({ type: 'presence' as const, full, users, present });

const seed = seedOfRun();

describe('presence', () => {
  it(`G7: diffs over what was told in full = what is told in full now (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const truth = new Map<string, UserPresence>();
    const told = () => [...truth.values()].filter(({ state }) => state !== 'offline');
    let known = applyPresence(NOBODY, frame([], true, 0));
    for (let i = 0; i < 500; i += 1) {
      const changed = Array.from({ length: 1 + integer(random, 3) }, () => user(`user-${integer(random, 8)}`, pick(random, ['online', 'away', 'dnd', 'offline'] as const)));
      for (const one of changed) truth.set(one.user_id, one);
      const isFull = random() < 0.1;
      known = applyPresence(known, frame(isFull ? told() : changed, isFull, told().length));
      expect(new Map(known.users)).toEqual(applyPresence(NOBODY, frame(told(), true, told().length)).users);
    }
  });

  it('of a large channel is a number, until it is a list again', () => {
    const many = applyPresence(NOBODY, frame(null, true, 412));
    expect(many).toEqual({ users: null, present: 412 });
    expect(presenceOf(many, 'ann')).toBe('offline');
    expect(presenceOf(applyPresence(many, frame([user('ann', 'dnd')], true, 1)), 'ann')).toBe('dnd');
  });

  it('keeps the status of one who is offline, and shows none that has passed', () => {
    const status = { text: 'At sea', emoji: null, expires_at: new Date(5_000).toISOString() };
    const known = applyPresence(NOBODY, frame([user('ann', 'offline', status)], false, 0));
    const kept = known.users?.get('ann')?.status;
    expect([currentStatus(kept, 4_999), currentStatus(kept, 5_000), currentStatus({ ...status, expires_at: null }, 9e12)?.text]).toEqual([status, null, 'At sea']);
  });
});
