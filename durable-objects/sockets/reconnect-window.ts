import { MAX_RECONNECT_MS } from '../../protocol/limits.ts';

/**
 * What it takes to be back at all, and what each socket adds: an upgrade with its ticket, a welcome, and what was missed. In milliseconds. A local workerd was measured
 * to need 1.5 to 2 of them a socket (docs/decisions/0025).
 */
const RESTART_MS = 250;
const SOCKET_MS = 2;

/** Within how many milliseconds so many sockets, closed at once, are to come back: a lone one at once. At most `MAX_RECONNECT_MS`. */
export function reconnectWindowMs(sockets: number): number {
  return sockets <= 1 ? 0 : Math.min(MAX_RECONNECT_MS, RESTART_MS + sockets * SOCKET_MS);
}
