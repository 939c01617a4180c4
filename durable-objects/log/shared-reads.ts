/** Reads under way at once. The others wait, each for a socket; past so many they are refused (G8). */
const MOST_READS = 8;
const MOST_WAITING = 5_000;

/** Reads of parts of a log that is elsewhere: one for all who need the same at a time, and few at once, so that a herd takes little memory. */
export class SharedReads<R extends readonly number[], T> {
  readonly #read: (...range: R) => Promise<T>;
  readonly #underWay = new Map<string, Promise<T>>();
  readonly #waiting: (() => void)[] = [];
  #reading = 0;

  constructor(read: (...range: R) => Promise<T>) {
    this.#read = read;
  }

  /** Rejects as the read does, or because too many wait. */
  read(...range: R): Promise<T> {
    const key = range.join(' ');
    const known = this.#underWay.get(key);
    if (known !== undefined) return known;
    const reading = this.#inTurn(range).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, reading);
    return reading;
  }

  async #inTurn(range: R): Promise<T> {
    await this.#turn();
    try {
      return await this.#read(...range);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#reading -= 1;
      else next();
    }
  }

  async #turn(): Promise<void> {
    if (this.#waiting.length >= MOST_WAITING) throw new Error('too many reads are waiting');
    if (this.#reading >= MOST_READS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#reading += 1;
  }
}
