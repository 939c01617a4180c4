import { signal } from '@preact/signals';

/** What the address says is open. */
export interface Place {
  readonly channelId: string | null;
  /** The root of the open thread. */
  readonly threadId: string | null;
}

const PATTERN = /^\/channels\/([0-9a-f-]{36})(?:\/threads\/([0-9a-f-]{36}))?\/?$/;

export function readPath(path: string): Place {
  const [, channelId = null, threadId = null] = PATTERN.exec(path) ?? [];
  return { channelId, threadId };
}

export function pathOf({ channelId, threadId }: Place): string {
  if (channelId === null) return '/';
  return threadId === null ? `/channels/${channelId}` : `/channels/${channelId}/threads/${threadId}`;
}

export const place = signal<Place>(readPath(location.pathname));

export function navigate(to: Place, how: 'push' | 'replace' = 'push'): void {
  const path = pathOf(to);
  if (path === pathOf(place.peek())) return;
  if (how === 'push') history.pushState(null, '', path);
  else history.replaceState(null, '', path);
  place.value = to;
}

addEventListener('popstate', () => (place.value = readPath(location.pathname)));
