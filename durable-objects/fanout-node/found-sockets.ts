import { closeReason, closeRule, type CloseCode } from '../../protocol/close-codes.ts';
import type { LogHead } from '../channel-room/room-api.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { reconnectWindowMs } from '../sockets/reconnect-window.ts';
import type { RoomSocket, SocketRecord } from '../sockets/socket-record.ts';
import { isOf, type Whose } from '../sockets/whose.ts';

/** Messages that wait until it is known where the log stands. Past it whoever sends more has to come back. */
const MOST_WAITING = 1_000;

export interface FoundPorts<S> {
  /** Where the room's log stands; rejects when it cannot be reached. */
  head(): Promise<LogHead>;
  /** The room says where: call `serve`. */
  learned(head: LogHead): void;
  /** Goes on with one of `among`. */
  adopt(socket: S, record: SocketRecord, among: number): void;
  /** One was closed. */
  left(): void;
}

/** The sockets of an earlier instance, which wait until it is known where the room's log stands. */
export class FoundSockets<S extends RoomSocket> {
  readonly #records: Map<S, SocketRecord>;
  readonly #ports: FoundPorts<S>;
  #orienting: Promise<void> | null = null;
  /** Messages that wait for that. */
  #waiting = 0;

  constructor(found: readonly (readonly [S, SocketRecord])[], ports: FoundPorts<S>) {
    this.#records = new Map(found);
    this.#ports = ports;
  }

  get size(): number {
    return this.#records.size;
  }

  get actors(): Actor[] {
    return [...this.#records.values()].map(({ actor }) => actor);
  }

  has(socket: S): boolean {
    return this.#records.has(socket);
  }

  leave(socket: S): void {
    this.#records.delete(socket);
  }

  /** Asks the room where its log stands. Where it does not say, the sockets come back later, and elsewhere. */
  orient(): Promise<void> {
    this.#orienting ??= this.#ports
      .head()
      .then((head) => this.#ports.learned(head))
      .catch(() => this.#dismissAll())
      .finally(() => (this.#orienting = null));
    return this.#orienting;
  }

  /** What they send meanwhile waits, up to a limit. False: it is past that, and the socket is closed. */
  async taken(socket: S): Promise<boolean> {
    if (this.#waiting >= MOST_WAITING) {
      this.#close(socket, 1012, closeReason('the node was restarted', reconnectWindowMs(this.size)));
      return false;
    }
    this.#waiting += 1;
    await this.orient();
    this.#waiting -= 1;
    return true;
  }

  /** Goes on with each whose place is known; `head` is the room's newest event. */
  serve(head: number): void {
    const among = this.size;
    for (const [socket, record] of this.#records) {
      // The instance before may have sent it more than its record says, up to the room's head.
      if (!record.settled && record.cursor.sent < head) this.#close(socket, 1012, closeReason('the node was restarted', reconnectWindowMs(among)));
      else this.#ports.adopt(socket, record, among);
    }
    this.#records.clear();
  }

  closeWhere(whose: Whose, code: CloseCode, reason: string): void {
    const gone = [...this.#records].filter(([, { actor }]) => isOf(whose, actor));
    const said = closeRule(code).reconnect ? closeReason(reason, reconnectWindowMs(gone.length)) : reason;
    for (const [socket] of gone) this.#close(socket, code, said);
  }

  sayAll(frame: string): void {
    for (const socket of this.#records.keys()) {
      try {
        socket.send(frame);
      } catch {
        // It is closing.
      }
    }
  }

  #dismissAll(): void {
    const reason = closeReason('the channel cannot be reached', reconnectWindowMs(this.size));
    for (const socket of this.#records.keys()) this.#close(socket, 1012, reason);
  }

  #close(socket: S, code: CloseCode, reason: string): void {
    this.#records.delete(socket);
    this.#ports.left();
    socket.close(code, reason);
  }
}
