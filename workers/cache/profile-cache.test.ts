import { describe, expect, it } from 'vitest';
import type { User } from '../../protocol/api.ts';
import { L1_MS, ProfileCache, type SharedLevel } from './profile-cache.ts';

const ada: User = { id: 'a', handle: 'ada', display_name: 'Ada', role: 'member' };

function setup(shared: SharedLevel | null) {
  const world = { now: 0, loads: 0 };
  const cache = new ProfileCache(() => world.now);
  const load = async (id: string) => {
    world.loads += 1;
    return id === 'a' ? ada : null;
  };
  return { world, find: (id: string) => cache.find(id, { shared, load, later: (work) => void work }) };
}

function memoryLevel(): SharedLevel & { readonly held: Map<string, User> } {
  const held = new Map<string, User>();
  return {
    held,
    get: async (id) => held.get(id) ?? null,
    set: async (user) => void held.set(user.id, user),
    delete: async (id) => void held.delete(id),
  };
}

describe('the profile cache', () => {
  it('asks the record once, then the isolate for 5 s, then the shared level', async () => {
    const shared = memoryLevel();
    const { world, find } = setup(shared);
    expect([await find('a'), await find('a')]).toEqual([ada, ada]);
    world.now = L1_MS;
    shared.held.set('a', { ...ada, display_name: 'Ada L.' });
    expect(await find('a')).toMatchObject({ display_name: 'Ada L.' });
    expect(world.loads).toBe(1);
  });

  it('goes without a shared level', async () => {
    const { world, find } = setup(null);
    await find('a');
    world.now = L1_MS;
    expect(await find('a')).toEqual(ada);
    expect(world.loads).toBe(2);
  });

  it('keeps nothing of unknown users', async () => {
    const shared = memoryLevel();
    const { world, find } = setup(shared);
    expect([await find('b'), await find('b')]).toEqual([null, null]);
    expect([world.loads, shared.held.size]).toEqual([2, 0]);
  });
});
