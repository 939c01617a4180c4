import { CACHE_SECONDS, FORGOTTEN_SECONDS } from '../../db/cache-keys.ts';
import type { Profile } from '../../protocol/api.ts';
import type { SharedLevel } from './profile-cache.ts';

/** A shared level of this process, for tests: it is held to the contract that Redis is. */
export function memoryLevel(): SharedLevel {
  const held = new Map<string, { readonly user: Profile | null; readonly until: number }>();
  const at = (id: string) => {
    const entry = held.get(id);
    return entry && entry.until > Date.now() ? entry : undefined;
  };
  return {
    get: async (id) => at(id)?.user ?? null,
    offer: async (user) => {
      if (!at(user.id)) held.set(user.id, { user, until: Date.now() + CACHE_SECONDS * 1_000 });
    },
    forget: async (id) => void held.set(id, { user: null, until: Date.now() + FORGOTTEN_SECONDS * 1_000 }),
  };
}
