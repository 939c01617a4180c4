import type { ConnectionState } from '../../client/lifecycle.ts';

/** How the page is connected: `text` in a word or two, `notice` in a sentence for who waits, null where there is nothing to say. */
export interface Status {
  readonly kind: 'live' | 'busy' | 'down';
  readonly text: string;
  readonly notice: string | null;
  /** What the reader can do about it. */
  readonly remedy: 'retry' | 'reload' | null;
}

export interface Standing {
  /** False only where it is certain that nothing can be reached. */
  readonly isOnline: boolean;
  readonly connection: ConnectionState;
  /** Whether this page has ever been live: what is connecting then is reconnecting. */
  readonly hasBeenLive: boolean;
  /** Epoch milliseconds. */
  readonly now: number;
}

const LIVE: Status = { kind: 'live', text: 'Live', notice: null, remedy: null };
const OFFLINE: Status = { kind: 'down', text: 'Offline', notice: 'You are offline. What you write is sent when you are back.', remedy: 'retry' };
const SIGNED_OUT: Status = { kind: 'down', text: 'Signed out', notice: 'You have been signed out.', remedy: 'reload' };
const ENDED: Status = { kind: 'down', text: 'Disconnected', notice: 'This page is out of date and no longer live. Reload it to go on.', remedy: 'reload' };

export function statusOf({ isOnline, connection, hasBeenLive, now }: Standing): Status {
  if (!isOnline) return OFFLINE;
  switch (connection.name) {
    case 'open':
      return LIVE;
    case 'closed':
      return connection.reason === 'unauthenticated' ? SIGNED_OUT : ENDED;
    case 'paused':
      return connection.reason === 'offline' ? OFFLINE : { kind: 'busy', text: 'Paused', notice: null, remedy: null };
    case 'waiting':
      return waiting(Math.max(0, Math.ceil((connection.retryAt - now) / 1_000)), hasBeenLive);
    default:
      return hasBeenLive
        ? { kind: 'busy', text: 'Reconnecting…', notice: 'The connection was lost. Reconnecting…', remedy: null }
        : { kind: 'busy', text: 'Connecting…', notice: 'Connecting…', remedy: null };
  }
}

function waiting(seconds: number, hasBeenLive: boolean): Status {
  const when = seconds === 0 ? 'now' : `in ${seconds} s`;
  const what = hasBeenLive ? 'The connection was lost.' : 'The server could not be reached.';
  return { kind: 'busy', text: `Reconnecting ${when}`, notice: `${what} Next try ${when}.`, remedy: 'retry' };
}

/** Of the open channel's connection and the inbox's, the one that is worse off. A channel at rest has no say. */
export function worseOff(channel: ConnectionState | undefined, inbox: ConnectionState): ConnectionState {
  const isAtRest = !channel || channel.name === 'idle' || (channel.name === 'closed' && channel.reason === 'stopped');
  return isAtRest || channel.name === 'open' ? inbox : channel;
}
