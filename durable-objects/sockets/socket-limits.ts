import type { Problem } from '../../protocol/errors.ts';

/**
 * How many sockets one object takes, one of its users, one channel, and one process. A pass over 1,000 sockets takes the object 30 to 40 ms (local workerd, 2026-11), for which nobody
 * else gets an answer from a room; a node has only its sockets to see to (docs/decisions/0025). Two open files a socket, of the 20,000 that a local workerd has: it dies at about 9,900
 * sockets (measured 2026-11). A deployment has no such limit and raises the last two by `MAX_CHANNEL_SOCKETS`.
 */
export const SOCKET_LIMITS = { room: 1_000, user: 100, node: 2_500, channel: 9_000, process: 9_000 };
/** A large channel that somebody looks at looks for dead connections so often, its nodes' too, in milliseconds. */
export const SWEEP_MS = 300_000;
/** So that no member alone can fill a channel. */
export const userIsFull: Problem = { code: 'unavailable', detail: 'The user has as many sockets here as they may', retry_after: 30 };
export type SocketLimits = Readonly<typeof SOCKET_LIMITS>;

export function socketLimits({ MAX_CHANNEL_SOCKETS }: { readonly MAX_CHANNEL_SOCKETS: string }): SocketLimits {
  const channel = Number(MAX_CHANNEL_SOCKETS);
  return channel > 0 ? { ...SOCKET_LIMITS, channel, process: Math.max(SOCKET_LIMITS.process, channel) } : SOCKET_LIMITS;
}
