/** What the address says is open. */
export interface Place {
  readonly channelId: string | null;
  /** The root of the open thread. */
  readonly threadId: string | null;
  /** The message that is to be shown first, in the history or in the open thread. */
  readonly messageId?: string | null;
}

const PATTERN = /^\/channels\/([0-9a-f-]{36})(?:\/threads\/([0-9a-f-]{36}))?(?:\/messages\/([0-9a-f-]{36}))?\/?$/;

export function readPath(path: string): Place {
  const [, channelId = null, threadId = null, messageId = null] = PATTERN.exec(path) ?? [];
  return messageId === null ? { channelId, threadId } : { channelId, threadId, messageId };
}

export function pathOf({ channelId, threadId, messageId = null }: Place): string {
  if (channelId === null) return '/';
  const thread = threadId === null ? '' : `/threads/${threadId}`;
  return `/channels/${channelId}${thread}${messageId === null ? '' : `/messages/${messageId}`}`;
}
