import { MAX_BATCH } from '../../../protocol/limits.ts';
import { type ImportApi, RefusedError } from '../api.ts';
import type { ImportedMessage } from '../batches.ts';
import { importedParts } from './message.ts';
import type { SlackMessage } from './schema.ts';
import type { Names } from './text.ts';

const BATCH_BYTES = 1024 * 1024;

/** `added` of `posted` were not there before; `changed`: there by their id, with another text, and left as they are. */
export interface Posted {
  readonly posted: number;
  readonly added: number;
  readonly changed: number;
}

interface Waiting {
  readonly message: ImportedMessage;
  /** The ts of the thread that it begins, or null. */
  readonly root: string | null;
}

/**
 * Posts the messages of one conversation in order. Each has an id made of channel and ts, so posting it again adds nothing (G2), and what an earlier run has posted says its ids again, which
 * replies need. A reply waits until the root of its thread is posted; one whose root is not in the export is a message of its own.
 */
export class ConversationPoster {
  readonly #api: Pick<ImportApi, 'postBatch'>;
  readonly #channelId: string;
  readonly #slackId: string;
  readonly #names: Names;
  readonly #roots = new Map<string, string>();
  #waiting: Waiting[] = [];
  #bytes = 0;
  #posted = { posted: 0, added: 0, changed: 0 };

  constructor(api: Pick<ImportApi, 'postBatch'>, channelId: string, slackId: string, names: Names) {
    this.#api = api;
    this.#channelId = channelId;
    this.#slackId = slackId;
    this.#names = names;
  }

  get posted(): Posted {
    return this.#posted;
  }

  async add(message: SlackMessage): Promise<void> {
    const thread = message.thread_ts && message.thread_ts !== message.ts ? message.thread_ts : null;
    const rootId = thread === null ? undefined : await this.#rootOf(thread);
    const isRoot = thread === null && (message.thread_ts === message.ts || (message.reply_count ?? 0) > 0);
    for (const [n, part] of importedParts(this.#slackId, message, this.#names).entries()) {
      this.#waiting.push({ message: rootId === undefined ? part : { ...part, thread_id: rootId }, root: isRoot && n === 0 ? message.ts : null });
      this.#bytes += Buffer.byteLength(JSON.stringify(part));
      if (this.#waiting.length >= MAX_BATCH || this.#bytes >= BATCH_BYTES) await this.flush();
    }
  }

  async #rootOf(ts: string): Promise<string | undefined> {
    if (this.#waiting.some(({ root }) => root === ts)) await this.flush();
    return this.#roots.get(ts);
  }

  /** Posts what waits. */
  async flush(): Promise<void> {
    const waiting = this.#waiting;
    [this.#waiting, this.#bytes] = [[], 0];
    if (waiting.length === 0) return;
    if (await this.#post(waiting)) return;
    for (const one of waiting) if (!(await this.#post([one]))) this.#posted = { ...this.#posted, changed: this.#posted.changed + 1 };
  }

  /** False: one of them is there with another text, and none was posted. */
  async #post(batch: readonly Waiting[]): Promise<boolean> {
    try {
      const results = await this.#api.postBatch(this.#channelId, batch.map(({ message }) => message));
      for (const [n, { root }] of batch.entries()) if (root !== null && results[n]) this.#roots.set(root, results[n].message_id);
      const { posted, added, changed } = this.#posted;
      this.#posted = { posted: posted + batch.length, added: added + results.filter((result) => result.changed).length, changed };
      return true;
    } catch (error) {
      if (error instanceof RefusedError && error.problem?.code === 'idempotency_mismatch') return false;
      throw error;
    }
  }
}
