import type { SqlDriver } from '../log/sql-driver.ts';
import { hash53 } from './hash53.ts';

/**
 * How many in memory are merged: when they are `due`, when the room comes to `rest` and its next instance will have to read what is not
 * merged, or `all`.
 */
const MERGE = { due: 4_096, rest: 256, all: 1 } as const;

export const SENT_SCHEMA = `
  CREATE TABLE sent (hash INTEGER NOT NULL, message_id TEXT NOT NULL, PRIMARY KEY (hash, message_id)) WITHOUT ROWID;
  CREATE TABLE sent_state (id INTEGER PRIMARY KEY CHECK (id = 1), merged_id TEXT NOT NULL, salt TEXT NOT NULL);
  INSERT INTO sent_state (id, merged_id, salt) VALUES (1, '', hex(randomblob(16)));`;

/** The author and the `client_msg_id` of a message, and its id. */
export interface Sent {
  readonly author_id: string;
  readonly client_msg_id: string;
  readonly id: string;
}

interface Recent {
  readonly hash: number;
  readonly id: string;
}

const nameOf = (authorId: string, clientMsgId: string): string => `${authorId}\n${clientMsgId}`;

/**
 * Which message an author sent under a `client_msg_id`, for all messages of a room. What clients call their messages is random, so a row for each
 * would dirty a page of its own in an index: the greater part of what a commit wrote. Hence the newest are in memory, and are
 * merged into the table many at once, in its order.
 *
 * Invariant: a message is in `#recent`, or its id is at most `merged_id` and it is in the table. So whatever an instance takes to its grave, the
 * next one reads from the messages after `merged_id`; ids of messages therefore rise within a room.
 */
export class SentIndex {
  readonly #sql: SqlDriver;
  /** Hashes differ by room, so that nobody can make ids of which many hash alike, and every look-up slow. */
  readonly #salt: string;
  readonly #merging: () => void;
  readonly #recent = new Map<string, Recent>();
  /** The names in `#recent`, in the order of their coming. */
  readonly #names: string[] = [];

  /**
   * Reads what no earlier instance has merged, and merges it as soon as it is due: a room laid before there was this index has merged none of
   * its messages, and all at once would be too much for memory and for one parameter (2 MB, Durable Objects 2026-11). The table `messages` must be there.
   * `merging` is called within the transaction of each merge: what others derive from the messages that are not merged is to be written then.
   */
  constructor(sql: SqlDriver, merging: () => void = () => {}) {
    this.#sql = sql;
    this.#merging = merging;
    const [state] = sql.all<{ salt: string }>('SELECT salt FROM sent_state WHERE id = 1');
    if (state === undefined) throw new Error('the index of sends has no state');
    this.#salt = state.salt;
    while (this.#readUnmerged() === MERGE.due) this.merge('due');
  }

  /** How many are in memory: what `rewind` takes. */
  get recent(): number {
    return this.#names.length;
  }

  find(authorId: string, clientMsgId: string): string | undefined {
    const name = nameOf(authorId, clientMsgId);
    return this.#recent.get(name)?.id ?? this.#findMerged(this.#hash(name), authorId, clientMsgId);
  }

  /** False, and nothing is done, where the author has used this `client_msg_id` before. */
  claim(sent: Sent): boolean {
    if (this.find(sent.author_id, sent.client_msg_id) !== undefined) return false;
    this.#add(sent);
    return true;
  }

  /** Forgets all that came after `recent` was so much: their transaction was rolled back. */
  rewind(recent: number): void {
    for (const name of this.#names.splice(recent)) this.#recent.delete(name);
  }

  /** Merges what is in memory, if it is so much. Not within a transaction that may be undone. */
  merge(when: keyof typeof MERGE): void {
    if (this.#names.length < MERGE[when]) return;
    const rows = [...this.#recent.values()];
    const last = rows.reduce((most, { id }) => (id > most ? id : most), '');
    this.#sql.transaction(() => {
      this.#sql.run(
        'INSERT INTO sent (hash, message_id) SELECT value ->> 0, value ->> 1 FROM json_each(?) ORDER BY 1, 2',
        JSON.stringify(rows.map(({ hash, id }) => [hash, id])),
      );
      this.#sql.run('UPDATE sent_state SET merged_id = max(merged_id, ?) WHERE id = 1', last);
      this.#merging();
    });
    this.rewind(0);
  }

  /** Reads the oldest, so that what is not read is after all that will be merged. Returns how many. */
  #readUnmerged(): number {
    const rows = this.#sql.all<{ author_id: string; client_msg_id: string; id: string }>(
      'SELECT author_id, client_msg_id, id FROM messages WHERE id > (SELECT merged_id FROM sent_state WHERE id = 1) ORDER BY id LIMIT ?',
      MERGE.due,
    );
    for (const row of rows) this.#add(row);
    return rows.length;
  }

  #add({ author_id, client_msg_id, id }: Sent): void {
    const name = nameOf(author_id, client_msg_id);
    this.#recent.set(name, { hash: this.#hash(name), id });
    this.#names.push(name);
  }

  #hash(name: string): number {
    return hash53(this.#salt + name);
  }

  #findMerged(hash: number, authorId: string, clientMsgId: string): string | undefined {
    const [found] = this.#sql.all<{ id: string }>(
      'SELECT m.id FROM sent s JOIN messages m ON m.id = s.message_id WHERE s.hash = ? AND m.author_id = ? AND m.client_msg_id = ?',
      hash, authorId, clientMsgId,
    );
    return found?.id;
  }
}
