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
