import { closeRule, reconnectWindow } from '../protocol/close-codes.ts';
import { MAX_RECONNECT_MS } from '../protocol/limits.ts';
import { backoffMs } from './backoff.ts';
import type { Random } from './ports.ts';

/** Why no attempt is made: the device has no network, or nobody has looked for long. */
export type Hold = 'offline' | 'hidden';

/** The states of a connection; `docs/client.md` draws them. */
export type ConnectionState =
  | { readonly name: 'idle' | 'connecting' | 'open' }
  /** `retryAt` in epoch milliseconds. */
  | { readonly name: 'waiting'; readonly reason: string; readonly retryAt: number }
  | { readonly name: 'paused'; readonly reason: Hold }
  /** `reason`: `stopped`, the name of a close code, or the code of a problem. */
  | { readonly name: 'closed'; readonly reason: string };

/** What happens to a connection. */
export type ConnectionEvent =
  | { readonly type: 'start' | 'stop' }
  /** Someone asks for a connection now, whatever holds it. */
  | { readonly type: 'wake' }
  /** The wait is over. */
  | { readonly type: 'retry' }
  | { readonly type: 'welcome' }
  /** The connection has stayed open long enough to count as a success. */
  | { readonly type: 'lasted' }
  /** The moment to leave has come that a `reconnect` frame left to chance. */
  | { readonly type: 'move' }
  /** The socket ended. `text` is the reason of its close frame. */
  | { readonly type: 'lost'; readonly code: number; readonly text: string }
  /** No socket could be had. `isFinal`: nor will another attempt get one. */
  | { readonly type: 'refused'; readonly reason: string; readonly isFinal: boolean; readonly afterMs: number }
  | { readonly type: 'hold'; readonly hold: Hold | null };

/** A state, and what decides where it leads. */
export interface Lifecycle {
  readonly state: ConnectionState;
  /** Attempts since a connection last stood for long. */
  readonly attempt: number;
  readonly hold: Hold | null;
}

export const BEGINNING: Lifecycle = { state: { name: 'idle' }, attempt: 0, hold: null };

/** What follows when `event` happens at `now`, in epoch milliseconds. An event that means nothing in a state leaves that state the same object. */
export function step(life: Lifecycle, event: ConnectionEvent, now: number, random: Random): Lifecycle {
  const { name } = life.state;
  switch (event.type) {
    case 'start':
      return name === 'idle' || name === 'closed' ? attempting({ ...life, attempt: 0 }) : life;
    case 'stop':
      return name === 'closed' ? life : closed(life, 'stopped');
    case 'wake':
      return name === 'waiting' || name === 'paused' ? connecting(life) : life;
    case 'retry':
      return name === 'waiting' ? attempting(life) : life;
    case 'welcome':
      return name === 'connecting' ? { ...life, state: { name: 'open' } } : life;
    case 'lasted':
      return name === 'open' ? { ...life, attempt: 0 } : life;
    case 'move':
      return name === 'open' ? attempting(life) : life;
    case 'lost':
      return name === 'open' || name === 'connecting' ? lost(life, event, now, random) : life;
    case 'refused':
      return name === 'connecting' ? refused(life, event, now, random) : life;
    case 'hold':
      return held({ ...life, hold: event.hold });
  }
}

const connecting = (life: Lifecycle): Lifecycle => ({ ...life, state: { name: 'connecting' } });
const closed = (life: Lifecycle, reason: string): Lifecycle => ({ ...life, state: { name: 'closed', reason } });
const attempting = (life: Lifecycle): Lifecycle => (life.hold ? paused(life, life.hold) : connecting(life));
const paused = (life: Lifecycle, reason: Hold): Lifecycle => ({ ...life, state: { name: 'paused', reason } });

/** An open socket outlives the word that there is no network, which is wrong about sockets to this very machine: its heartbeat knows better. */
function held(life: Lifecycle): Lifecycle {
  const { hold, state } = life;
  if (hold === null) return state.name === 'paused' ? connecting(life) : life;
  const ends = state.name === 'waiting' || state.name === 'connecting' || (state.name === 'open' && hold === 'hidden');
  return ends || (state.name === 'paused' && state.reason !== hold) ? paused(life, hold) : life;
}

function lost(life: Lifecycle, { code, text }: { code: number; text: string }, now: number, random: Random): Lifecycle {
  const rule = closeRule(code);
  if (!rule.reconnect) return closed(life, rule.name);
  const window = reconnectWindow(text);
  const ms = window === null ? backoffMs(rule.backoff, life.attempt, random) : Math.round(random() * Math.min(window, MAX_RECONNECT_MS));
  return waiting(life, rule.name, now + ms);
}

function refused(life: Lifecycle, refusal: { reason: string; isFinal: boolean; afterMs: number }, now: number, random: Random): Lifecycle {
  if (refusal.isFinal) return closed(life, refusal.reason);
  const ms = Math.max(refusal.afterMs, backoffMs('jitter', life.attempt, random));
  return waiting(life, refusal.reason, now + ms);
}

function waiting(life: Lifecycle, reason: string, retryAt: number): Lifecycle {
  const next = { ...life, attempt: life.attempt + 1 };
  return life.hold ? paused(next, life.hold) : { ...next, state: { name: 'waiting', reason, retryAt } };
}
