import type { PresenceTelling } from '../channel-room/channel-presence.ts';
import type { Fanout } from '../sockets/fanout.ts';
import type { Count } from '../metrics-hub/object-metrics.ts';
import type { RoomSocket } from '../sockets/socket-record.ts';

/** Whole answers to one socket are so far apart; what the room told is taken for its newest for so long. Milliseconds. */
const EVERY_MS = 1_000;
const CURRENT_MS = 10_000;
/** After a call that got lost the room is asked again, so often, twice as long apart each time: a minute in all. */
const RETRY_MS = 1_000;
const MOST_RETRIES = 6;

export interface NodePresencePorts {
  clock(): number;
  schedule(ms: number, task: () => void): void;
  readonly count: Count;
  /** Asks the room to tell its nodes, for somebody looks. Rejects where it cannot be reached. */
  look(): Promise<void>;
}

/** The sockets of a node that are told who is present. What they are told is the room's to say; a node keeps the last, for whoever looks next. */
export class NodePresence<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  readonly #ports: NodePresencePorts;
  readonly #watchers = new Set<S>();
  /** They look, and have not got all of it yet. */
  readonly #owed = new Set<S>();
  readonly #givenAt = new WeakMap<S, number>();
  #last: PresenceTelling | null = null;
  #toldAt = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** Calls that got lost, one after the other. */
  #lost = 0;

  constructor(fanout: Fanout<S>, ports: NodePresencePorts) {
    this.#fanout = fanout;
    this.#ports = ports;
  }

  /** How many sockets are told who is present. */
  get watching(): number {
    return this.#watchers.size;
  }

  /** A socket of an earlier instance is taken over. */
  adopt(socket: S): void {
    const record = this.#fanout.record(socket);
    if (record?.watching === true) this.#watchers.add(socket);
    if (record?.owed === true) this.#owe(socket);
  }

  watch(socket: S, presence: boolean): void {
    this.#fanout.amend(socket, { watching: presence, owed: presence });
    if (!presence) return this.left(socket);
    this.#watchers.add(socket);
    this.#owe(socket);
  }

  /** The socket was behind, and has missed what the others were told. */
  caughtUp(socket: S): void {
    this.adopt(socket);
    if (this.#watchers.has(socket)) this.#owe(socket);
  }

  left(socket: S): void {
    this.#watchers.delete(socket);
    this.#owed.delete(socket);
  }

  /** From the room. What is overtaken by something newer says nothing. */
  told(telling: PresenceTelling): void {
    if (this.#last !== null && telling.at <= this.#last.at) return;
    [this.#last, this.#toldAt] = [telling, this.#ports.clock()];
    for (const socket of this.#watchers) {
      if (this.#owed.has(socket)) this.#give(socket, telling.full);
      else if (telling.diff !== null) this.#send(socket, telling.diff, 'diff');
    }
  }

  #owe(socket: S): void {
    if (this.#owed.has(socket)) return;
    this.#owed.add(socket);
    const wait = (this.#givenAt.get(socket) ?? Number.NEGATIVE_INFINITY) + EVERY_MS - this.#ports.clock();
    if (this.#isOld()) this.#ask();
    if (this.#last === null) return;
    if (wait <= 0) this.#give(socket, this.#last.full);
    else this.#ports.schedule(wait, () => this.#giveOwed(socket));
  }

  /** Something newer may have got lost: the room tells it again, and until then what is known is better than nothing. */
  #isOld(): boolean {
    return this.#last === null || this.#ports.clock() - this.#toldAt > CURRENT_MS;
  }

  /** Once for many. */
  #ask(): void {
    const now = this.#ports.clock();
    if (now - this.#askedAt < EVERY_MS) return;
    this.#askedAt = now;
    this.#ports.look().then(() => (this.#lost = 0), () => this.#askAgain());
  }

  /** Those who look would else see nobody until another one looks. */
  #askAgain(): void {
    if (this.#lost >= MOST_RETRIES) return;
    const wait = RETRY_MS * 2 ** this.#lost;
    this.#lost += 1;
    this.#ports.schedule(wait, () => {
      if (this.#owed.size > 0 && this.#isOld()) this.#ask();
    });
  }

  #giveOwed(socket: S): void {
    if (this.#last !== null && this.#owed.has(socket)) this.#give(socket, this.#last.full);
  }

  #give(socket: S, full: string): void {
    if (!this.#isOld()) {
      this.#owed.delete(socket);
      this.#fanout.amend(socket, { owed: false });
    }
    this.#givenAt.set(socket, this.#ports.clock());
    this.#send(socket, full, 'full');
  }

  #send(socket: S, frame: string, kind: 'full' | 'diff'): void {
    this.#fanout.tellSocket(socket, frame);
    this.#ports.count('colink_presence_frames_total', 1, { kind });
  }
}
