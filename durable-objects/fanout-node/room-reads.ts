import type { ArchivedChunk } from '../log/archive.ts';
import type { OlderEvents } from '../sockets/fanout.ts';

/** Reads that a node has under way at once; the others wait, each for a socket. */
const MOST_READS = 8;

type Read = OlderEvents['read'];

/** What a node reads from its room: once for all sockets that need the same, and little at a time. */
export class RoomReads implements OlderEvents {
  readonly #read: Read;
  readonly #underWay = new Map<string, Promise<ArchivedChunk | null>>();
  readonly #waiting: (() => void)[] = [];
  #reading = 0;

  constructor(read: Read) {
    this.#read = read;
  }

  read(...range: Parameters<Read>): Promise<ArchivedChunk | null> {
    const key = range.join(' ');
    const known = this.#underWay.get(key);
    if (known !== undefined) return known;
    const chunk = this.#inTurn(range).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, chunk);
    return chunk;
  }

  async #inTurn(range: Parameters<Read>): Promise<ArchivedChunk | null> {
    if (this.#reading >= MOST_READS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#reading += 1;
    try {
      return await this.#read(...range);
    } catch {
      return null;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#reading -= 1;
      else next();
    }
  }
}
