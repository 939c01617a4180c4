import { type Signal, signal } from '@preact/signals';
import { retrying } from '../../client/backoff.ts';
import type { Avatar, User } from '../../protocol/api.ts';
import { api, ports } from './platform.ts';

/** Those whose handle is known, by handle. */
const handles = signal<ReadonlyMap<string, User>>(new Map());
const known = new Map<string, Signal<User | null>>();

/** A user by id, null until known. One that no page has brought along is asked for once. */
export function user(id: string): Signal<User | null> {
  const found = known.get(id);
  if (found) return found;
  const created = signal<User | null>(null);
  known.set(id, created);
  // Asked after this task: what renders now may learn the user from the page that is being applied.
  setTimeout(() => created.peek() ?? void fetchUser(id));
  return created;
}

export function learnUsers(users: readonly User[]): void {
  for (const one of users) {
    const found = known.get(one.id);
    if (found) found.value = one;
    else known.set(one.id, signal<User | null>(one));
  }
  const fresh = users.filter(({ id, handle }) => handles.peek().get(handle)?.id !== id);
  if (fresh.length > 0) handles.value = new Map([...handles.peek(), ...fresh.map((one): [string, User] => [one.handle, one])]);
}

/** Whom `@handle` names, undefined as long as the page knows nobody of that handle. */
export const userByHandle = (handle: string): User | undefined => handles.value.get(handle);

export const displayName = (id: string): string => user(id).value?.display_name ?? 'Someone';

/** Theirs, null until they are known. */
export const pictureOf = (id: string): Avatar | null => user(id).value?.avatar ?? null;

async function fetchUser(id: string): Promise<void> {
  try {
    learnUsers([await retrying(() => api.user(id), ports)]);
  } catch {
    // The name stays unknown: the message is readable without it.
  }
}
