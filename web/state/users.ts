import { type Signal, signal } from '@preact/signals';
import { retrying } from '../../client/backoff.ts';
import type { User } from '../../protocol/api.ts';
import { api, ports } from './platform.ts';

const known = new Map<string, Signal<User | null>>();

/** A user by id, null until known. One that no page has brought along is asked for once. */
export function user(id: string): Signal<User | null> {
  const found = known.get(id);
  if (found) return found;
  const created = signal<User | null>(null);
  known.set(id, created);
  // Asked after this task: what renders now may learn the user from the page that is being applied.
  setTimeout(() => created.peek() ?? void fetchUser(id, created));
  return created;
}

export function learnUsers(users: readonly User[]): void {
  for (const one of users) {
    const found = known.get(one.id);
    if (found) found.value = one;
    else known.set(one.id, signal<User | null>(one));
  }
}

export const displayName = (id: string): string => user(id).value?.display_name ?? 'Someone';

async function fetchUser(id: string, into: Signal<User | null>): Promise<void> {
  try {
    into.value = await retrying(() => api.user(id), ports);
  } catch {
    // The name stays unknown: the message is readable without it.
  }
}
