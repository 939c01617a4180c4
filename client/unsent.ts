import type { KeyValueStore, Owner } from './ports.ts';

/** A message that its author has let go of and no room has confirmed. `queued_at` in epoch milliseconds. */
export interface Unsent {
  readonly client_msg_id: string;
  readonly text: string;
  readonly thread_id: string | null;
  /** Files of the author's that it shows; absent where there are none. */
  readonly file_ids?: string[];
  readonly queued_at: number;
}

interface Options {
  readonly store: KeyValueStore;
  /** One key a message, under this prefix, so that several pages of one user do not undo each other. */
  readonly prefix: string;
  readonly owner: Owner;
}

type Kept = Unsent & { readonly owner: string };

/**
 * Unsent messages in a store that outlives the program. Each belongs to one page (or program): another takes it over only once that one is
 * gone. Changes are written one after the other; one that the store refuses leaves the message as long as the program lives.
 */
export class UnsentMessages {
  readonly #options: Options;
  /** What this run answers for: from its being kept until its removal is written. */
  readonly #held = new Set<string>();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: Options) {
    this.#options = options;
  }

  keep(unsent: Unsent): void {
    this.#held.add(unsent.client_msg_id);
    void this.#enqueue(() => this.#write(unsent));
  }

  release(clientMsgId: string): void {
    void this.#enqueue(async () => {
      await this.#options.store.remove(this.#options.prefix + clientMsgId);
      this.#held.delete(clientMsgId);
    });
  }

  /** Takes over at most `limit` messages that nobody sends, oldest first. */
  async inherit(limit: number): Promise<Unsent[]> {
    const taken: Unsent[] = [];
    await this.#enqueue(async () => {
      const owners = new Set((await this.#read()).map(({ owner }) => owner));
      for (const owner of owners) await this.#inheritFrom(owner, limit, taken);
    });
    return taken.toSorted((a, b) => a.queued_at - b.queued_at);
  }

  async #inheritFrom(from: string, limit: number, taken: Unsent[]): Promise<void> {
    const take = async () => {
      // Read again: while this page waited, another may have been here.
      const theirs = (await this.#read()).filter(({ owner, client_msg_id }) => owner === from && !this.#held.has(client_msg_id));
      for (const { owner: _, ...unsent } of theirs.slice(0, limit - taken.length)) {
        this.#held.add(unsent.client_msg_id);
        await this.#write(unsent);
        taken.push(unsent);
      }
    };
    await (from === this.#options.owner.id ? take() : this.#options.owner.inherit(from, take));
  }

  #write(unsent: Unsent): Promise<void> {
    const { store, prefix, owner } = this.#options;
    return store.set(prefix + unsent.client_msg_id, JSON.stringify({ ...unsent, owner: owner.id }));
  }

  async #read(): Promise<Kept[]> {
    const entries = await this.#options.store.entries(this.#options.prefix);
    return entries.flatMap(([, value]) => parse(value)).toSorted((a, b) => a.queued_at - b.queued_at);
  }

  #enqueue(task: () => Promise<unknown>): Promise<unknown> {
    this.#writing = this.#writing.then(task).catch(() => {});
    return this.#writing;
  }
}

function parse(value: string): Kept[] {
  try {
    const { client_msg_id, text, thread_id, file_ids, queued_at, owner } = JSON.parse(value);
    const whole = typeof client_msg_id === 'string' && typeof text === 'string' && typeof queued_at === 'number' && typeof owner === 'string';
    return whole ? [{ client_msg_id, text, thread_id: typeof thread_id === 'string' ? thread_id : null, ...filesOf(file_ids), queued_at, owner }] : [];
  } catch {
    return [];
  }
}

/** As a message carries them: not at all where there are none. */
export const filesOf = (ids: unknown): Pick<Unsent, 'file_ids'> =>
  Array.isArray(ids) && ids.length > 0 && ids.every((id) => typeof id === 'string') ? { file_ids: ids } : {};
