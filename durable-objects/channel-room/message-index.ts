import type { SqlDriver } from '../log/sql-driver.ts';
import { MAX_EVENTS_PER_MS } from '../../protocol/limits.ts';
import { firstIdOf } from '../../protocol/primitives.ts';
import { SENT_SCHEMA, SentIndex } from './sent-index.ts';

/**
 * One row for every message of the channel, without its text: enough to recognise a repeated send, to authorise a change, to number a
 * reply. `pos` and `tpos` exclude each other; `last_tpos` counts the replies to a top-level message. `fingerprint` null: the text as
 * first sent is not known any more, and a repeated send is taken at its id.
 */
export interface IndexedMessage {
  readonly id: string;
  readonly author_id: string;
  readonly client_msg_id: string;
  readonly fingerprint: number | null;
  readonly seq: number;
  readonly pos: number | null;
  readonly thread_id: string | null;
  readonly tpos: number | null;
  readonly last_tpos: number;
  readonly deleted: 0 | 1;
  readonly revision: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

export interface IndexedReaction {
  readonly message_id: string;
  readonly emoji: string;
  readonly user_id: string;
  readonly seq: number;
}

/** The last edit of a message: what it says now. Of another `revision` than the message: it is not known any more. */
export interface IndexedEdit {
  readonly message_id: string;
  readonly revision: number;
  readonly fingerprint: number;
  readonly seq: number;
}

/** A table of its own, and not there before 2026-11-26. */
export const EDIT_SCHEMA = 'CREATE TABLE edits (message_id TEXT PRIMARY KEY, revision INTEGER NOT NULL, fingerprint INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID;';

export const MESSAGE_SCHEMA = `
  CREATE TABLE messages (
    id TEXT PRIMARY KEY, author_id TEXT NOT NULL, client_msg_id TEXT NOT NULL, fingerprint INTEGER, seq INTEGER NOT NULL, pos INTEGER,
    thread_id TEXT, tpos INTEGER, last_tpos INTEGER NOT NULL, deleted INTEGER NOT NULL, revision INTEGER NOT NULL, at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE reactions (
    message_id TEXT NOT NULL, emoji TEXT NOT NULL, user_id TEXT NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (message_id, emoji, user_id)
  ) WITHOUT ROWID;
  ${EDIT_SCHEMA}
  ${SENT_SCHEMA}`;

const COLUMNS = 'id, author_id, client_msg_id, fingerprint, seq, pos, thread_id, tpos, last_tpos, deleted, revision, at';

type Row = { -readonly [K in keyof IndexedMessage]: IndexedMessage[K] };

export class MessageIndex {
  readonly sent: SentIndex;
  readonly #sql: SqlDriver;

  /** The greatest `pos` of what the index of sends has not merged; 0 where there is none. To be read before that index is opened, which may merge it. */
  static newestPos(sql: SqlDriver): number {
    const [row] = sql.all<{ pos: number | null }>('SELECT max(pos) AS pos FROM messages WHERE id > (SELECT merged_id FROM sent_state WHERE id = 1)');
    return row?.pos ?? 0;
  }

  /** `merging`: as of `SentIndex`. */
  constructor(sql: SqlDriver, merging: () => void = () => {}) {
    this.#sql = sql;
    this.sent = new SentIndex(sql, merging);
  }

  /** The greatest id, or null where there is no message. */
  lastId(): string | null {
    return this.#sql.all<{ id: string | null }>('SELECT max(id) AS id FROM messages')[0]?.id ?? null;
  }

  /** False, and nothing is done, where the author has used this `client_msg_id` before. */
  insert(m: IndexedMessage): boolean {
    if (!this.sent.claim(m)) return false;
    this.#sql.run(
      `INSERT INTO messages (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      m.id, m.author_id, m.client_msg_id, m.fingerprint, m.seq, m.pos, m.thread_id, m.tpos, m.last_tpos, m.deleted, m.revision, m.at,
    );
    return true;
  }

  find(id: string): IndexedMessage | undefined {
    return this.#sql.all<Row>(`SELECT ${COLUMNS} FROM messages WHERE id = ?`, id)[0];
  }

  /** The message whose id bears this millisecond, and whose `seq` leaves that remainder: there is one at most (`MAX_EVENTS_PER_MS`). */
  findAt(ms: number, remainder: number): IndexedMessage | undefined {
    return this.#sql.all<Row>(
      `SELECT ${COLUMNS} FROM messages WHERE id >= ? AND id < ? AND seq % ? = ? ORDER BY id LIMIT 1`, firstIdOf(ms), firstIdOf(ms + 1), MAX_EVENTS_PER_MS, remainder,
    )[0];
  }

  /** Messages of an author that are not deleted, by their ids: at most `limit` of those after `after`. Walks the whole index to find few. */
  liveOf(authorId: string, after: string | null, limit: number): IndexedMessage[] {
    return this.#sql.all<Row>(`SELECT ${COLUMNS} FROM messages WHERE id > ? AND author_id = ? AND deleted = 0 ORDER BY id LIMIT ?`, after ?? '', authorId, limit);
  }

  findSent(authorId: string, clientMsgId: string): IndexedMessage | undefined {
    const id = this.sent.find(authorId, clientMsgId);
    return id === undefined ? undefined : this.find(id);
  }

  setLastTpos(id: string, tpos: number): void {
    this.#sql.run('UPDATE messages SET last_tpos = ? WHERE id = ?', tpos, id);
  }

  setEdit({ message_id, revision, fingerprint, seq }: IndexedEdit): void {
    this.#sql.run('UPDATE messages SET revision = ? WHERE id = ?', revision, message_id);
    this.#sql.run('REPLACE INTO edits (message_id, revision, fingerprint, seq) VALUES (?, ?, ?, ?)', message_id, revision, fingerprint, seq);
  }

  /** The `seq` of the event that gave the message this text, or null where it has another, or what it has is not known. */
  said({ id, revision, fingerprint, seq }: IndexedMessage, text: number): number | null {
    if (revision === 1) return fingerprint === text ? seq : null;
    const [edit] = this.#sql.all<{ seq: number }>('SELECT seq FROM edits WHERE message_id = ? AND revision = ? AND fingerprint = ?', id, revision, text);
    return edit?.seq ?? null;
  }

  /** Its reactions go with it: nobody may take one back from a deleted message. */
  setDeleted(id: string): void {
    this.#sql.run('UPDATE messages SET deleted = 1 WHERE id = ?', id);
    this.#sql.run('DELETE FROM edits WHERE message_id = ?', id);
    this.#sql.run('DELETE FROM reactions WHERE message_id = ?', id);
  }

  /** The `seq` of the event that added the reaction, or null where it is not there. */
  reaction(messageId: string, emoji: string, userId: string): number | null {
    const [row] = this.#sql.all<{ seq: number }>(
      'SELECT seq FROM reactions WHERE message_id = ? AND emoji = ? AND user_id = ?', messageId, emoji, userId,
    );
    return row?.seq ?? null;
  }

  addReaction(r: IndexedReaction): void {
    this.#sql.run('INSERT INTO reactions (message_id, emoji, user_id, seq) VALUES (?, ?, ?, ?)', r.message_id, r.emoji, r.user_id, r.seq);
  }

  removeReaction(messageId: string, emoji: string, userId: string): void {
    this.#sql.run('DELETE FROM reactions WHERE message_id = ? AND emoji = ? AND user_id = ?', messageId, emoji, userId);
  }
}
