interface Numbered {
  readonly seq: number;
}

/** One log as it became durable: `seq` is the index and one. What both stores have lost is kept aside, for whoever was told of it in its time. */
export class Truth<E extends Numbered = Numbered> {
  readonly #texts: string[] = [];
  readonly #lost: { readonly epoch: number; readonly texts: ReadonlyMap<number, string> }[] = [];

  get head(): number {
    return this.#texts.length;
  }

  get events(): E[] {
    return this.#texts.map((json): E => JSON.parse(json));
  }

  /** Whether it is new, or what was there. */
  becameDurable(seq: number, json: string): boolean {
    if (seq === this.head + 1) this.#texts.push(json);
    return this.#texts[seq - 1] === json;
  }

  /** Whether the log holds this very event, or held it in that epoch. */
  holds(event: E, epoch: number): boolean {
    const json = JSON.stringify(event);
    return this.#texts[event.seq - 1] === json || this.#lost.some((lost) => epoch <= lost.epoch && lost.texts.get(event.seq) === json);
  }

  /** No store has anything after `seq` any more; `epoch` was the last in which it had. Returns what is lost. */
  lose(seq: number, epoch: number): E[] {
    const texts = this.#texts.splice(seq);
    this.#lost.push({ epoch, texts: new Map(texts.map((json, index) => [seq + 1 + index, json])) });
    return texts.map((json): E => JSON.parse(json));
  }
}
