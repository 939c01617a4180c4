import type { Alarms } from '../alarms.ts';
import type { Fanout } from './fanout.ts';
import type { RoomSocket } from './socket-record.ts';

/** How long after something happened an object tidies up, and how often while it is active. */
const TIDY_MS = 1_000;
/** How often an active object looks for dead sockets. A quiet one has nothing to send them. */
const REAP_MS = 60_000;
/** How often at most it does for want of room. */
const REAP_NOW_MS = 1_000;
/** When another instance sees to what one was lost with, if nothing else wakes it. */
const NET_MS = 30_000;

export interface TidyPorts<S> {
  readonly alarms: Pick<Alarms<'net'>, 'ensure' | 'clear'>;
  clock(): number;
  schedule(ms: number, task: () => void): void;
  /** When the platform last answered a ping of this socket, in epoch milliseconds; 0: never. */
  lastPing(socket: S): number;
  /** What else a round sees to. True: nothing is left to do, and the object may sleep. */
  round(): boolean;
}

/**
 * What an object with sockets does soon after something happened: it writes the records of its sockets, and closes dead ones. It goes on until a round
 * finds nothing left to do; then no timer is left, so that the object can sleep.
 */
export class TidyLoop<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  readonly #ports: TidyPorts<S>;
  #isRunning = false;
  #reapedAt = 0;

  constructor(fanout: Fanout<S>, ports: TidyPorts<S>) {
    this.#fanout = fanout;
    this.#ports = ports;
  }

  /** Something happened: there will be a round. */
  touch(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#ports.schedule(TIDY_MS, () => this.#round());
  }

  /** The same of what only this instance knows: should it be lost, the alarm wakes another before long. */
  guard(): void {
    this.#ports.alarms.ensure('net', this.#ports.clock() + NET_MS);
    this.touch();
  }

  /** Guards a read that sockets wait for. Its end is for the round to wait for. */
  guarded<T>(reading: Promise<T>): Promise<T> {
    this.guard();
    return reading;
  }

  /** Closes dead sockets now. */
  reap(): void {
    this.#reapedAt = this.#ports.clock();
    this.#fanout.reap((socket) => this.#ports.lastPing(socket));
  }

  /** Whether there are so many sockets, and all of them alive as far as can be told. */
  hasLive(sockets: number): boolean {
    if (this.#fanout.size >= sockets) this.#reapNow();
    return this.#fanout.size >= sockets;
  }

  /** The same of the sockets of one user. */
  hasLiveOf(userId: string, sockets: number): boolean {
    if (this.#fanout.countOf(userId) >= sockets) this.#reapNow();
    return this.#fanout.countOf(userId) >= sockets;
  }

  /** Where there is no room left, everyone who comes asks for this. */
  #reapNow(): void {
    if (this.#ports.clock() - this.#reapedAt >= REAP_NOW_MS) this.reap();
  }

  #round(): void {
    if (this.#ports.clock() - this.#reapedAt >= REAP_MS) this.reap();
    this.#fanout.settle();
    // What happens from here on, this round may not see.
    this.#isRunning = false;
    if (!this.#ports.round()) this.touch();
    if (!this.#isRunning) this.#ports.alarms.clear('net');
  }
}
