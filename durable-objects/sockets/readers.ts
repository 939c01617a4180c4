import type { Cursor } from './cursor.ts';
import type { RoomSocket, SocketRecord } from './socket-record.ts';

export interface Reader {
  /** As this instance knows it; while frames go out its cursor is ahead of the record that the socket has. */
  record: SocketRecord;
  /** When its client last sent anything but a ping, or came, in epoch milliseconds. Null: this instance has heard nothing of it, and found it at `since`. */
  heardAt: number | null;
  readonly since: number;
  /** A read of older events is under way for it. */
  reading: boolean;
}

/**
 * The sockets of a fan-out and their records. A record is not written to its socket at every frame: the first frame after quiet marks it as unsettled,
 * and `settle` writes it again when it is quiet.
 */
export class Readers<S extends RoomSocket> {
  readonly #readers = new Map<S, Reader>();
  readonly #unsettled = new Set<S>();
  /** How many are of which user. */
  readonly #ofUser = new Map<string, number>();
  readonly #unquiet: () => void;

  /** `unquiet`: a frame goes out, the first since `settle`. */
  constructor(unquiet: () => void) {
    this.#unquiet = unquiet;
  }

  get size(): number {
    return this.#readers.size;
  }

  get(socket: S): Reader | undefined {
    return this.#readers.get(socket);
  }

  /** One that is removed while they are visited is not visited any more. */
  [Symbol.iterator](): MapIterator<[S, Reader]> {
    return this.#readers.entries();
  }

  countOf(userId: string): number {
    return this.#ofUser.get(userId) ?? 0;
  }

  add(socket: S, reader: Reader): void {
    this.#readers.set(socket, reader);
    this.#count(reader, 1);
  }

  remove(socket: S): void {
    const reader = this.#readers.get(socket);
    if (reader !== undefined) this.#count(reader, -1);
    this.#readers.delete(socket);
    this.#unsettled.delete(socket);
  }

  /** Changes the record, and writes it. */
  change(socket: S, reader: Reader, changed: Partial<SocketRecord>): void {
    reader.record = { ...reader.record, ...changed };
    socket.save(reader.record);
  }

  /** Moves the cursor. */
  move(socket: S, reader: Reader, cursor: Cursor): void {
    reader.record = { ...reader.record, cursor };
    if (this.#unsettled.size === 0) this.#unquiet();
    if (this.#unsettled.has(socket)) return;
    this.#unsettled.add(socket);
    this.change(socket, reader, { settled: false });
  }

  /** Writes the records of all sockets whose cursors have moved. */
  settle(): void {
    for (const socket of this.#unsettled) {
      const reader = this.#readers.get(socket);
      if (reader !== undefined) this.change(socket, reader, { settled: true });
    }
    this.#unsettled.clear();
  }

  /** Whatever else of a record changes, its user does not. */
  #count({ record: { actor } }: Reader, by: 1 | -1): void {
    const count = this.countOf(actor.user_id) + by;
    if (count > 0) this.#ofUser.set(actor.user_id, count);
    else this.#ofUser.delete(actor.user_id);
  }
}
