import { memberRoleSchema, type MemberRole } from '../../protocol/events.ts';
import type { Badge } from '../../protocol/frames.ts';
import type { SqlDriver } from '../log/sql-driver.ts';

/** Rows are as many as the channels its user is or was a member of. */
export const CHANNELS_SCHEMA = `
  CREATE TABLE channels (
    channel_id TEXT PRIMARY KEY, role TEXT, version INTEGER NOT NULL, announced INTEGER NOT NULL, notified_seq INTEGER NOT NULL,
    read_pos INTEGER NOT NULL, epoch INTEGER NOT NULL, as_of_seq INTEGER NOT NULL, last_pos INTEGER NOT NULL, unread INTEGER NOT NULL, mentions INTEGER NOT NULL
  ) WITHOUT ROWID;`;

/**
 * A channel as the inbox knows it. `role` null: the user has left; the row stays, so that a late, older joining is recognised by its version.
 * `announced`: the version of the last change that is in the log. `notified_seq`: notices up to this event of the channel are not told apart any more, and pass for given.
 * The counts are those of `(epoch, as_of_seq)`, after `read_pos`.
 */
export interface InboxChannel {
  readonly channel_id: string;
  readonly role: MemberRole | null;
  readonly version: number;
  readonly announced: number;
  readonly notified_seq: number;
  readonly read_pos: number;
  /** Of the read marker. */
  readonly read_generation: number;
  readonly epoch: number;
  readonly as_of_seq: number;
  readonly last_pos: number;
  readonly unread: number;
  readonly mentions: number;
}

const NOTHING_COUNTED = { epoch: 0, as_of_seq: 0, last_pos: 0, unread: 0, mentions: 0 };
const UNKNOWN = { role: null, version: 0, announced: 0, notified_seq: 0, read_pos: 0, read_generation: 0, ...NOTHING_COUNTED };

export const badgeOf = ({ channel_id, last_pos, read_pos, read_generation, unread, mentions }: InboxChannel): Badge => ({
  channel_id, last_pos, read_pos, ...(read_generation > 0 && { read_generation }), unread, mentions,
});

/** Without the counts: the channel is left. */
export const withoutBadge = (channel: InboxChannel): InboxChannel => ({ ...channel, ...NOTHING_COUNTED });

type Row = { [K in keyof InboxChannel]: K extends 'channel_id' ? string : K extends 'role' ? string | null : number };

const STORED = 'channel_id, role, version, announced, notified_seq, read_pos, epoch, as_of_seq, last_pos, unread, mentions';
const COLUMNS = `c.channel_id, c.role, c.version, c.announced, c.notified_seq, c.read_pos, c.epoch, c.as_of_seq, c.last_pos, c.unread, c.mentions,
  coalesce(g.generation, 0) AS read_generation`;
const TABLES = 'channels c LEFT JOIN read_generations g ON g.channel_id = c.channel_id';
/** Not there before 2026-11-26. Rows are of channels in which something was ever marked as unread. */
const GENERATIONS_SCHEMA = 'CREATE TABLE IF NOT EXISTS read_generations (channel_id TEXT PRIMARY KEY, generation INTEGER NOT NULL) WITHOUT ROWID;';

/** The user's channels, in SQLite. */
export class InboxChannels {
  readonly #sql: SqlDriver;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(GENERATIONS_SCHEMA);
  }

  /** A channel the inbox has not heard of is one that the user is no member of. */
  get(channelId: string): InboxChannel {
    const [row] = this.#sql.all<Row>(`SELECT ${COLUMNS} FROM ${TABLES} WHERE c.channel_id = ?`, channelId);
    return row === undefined ? { channel_id: channelId, ...UNKNOWN } : toChannel(row);
  }

  put(channel: InboxChannel): void {
    const c = channel;
    this.#sql.run(
      `INSERT OR REPLACE INTO channels (${STORED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      c.channel_id, c.role, c.version, c.announced, c.notified_seq, c.read_pos, c.epoch, c.as_of_seq, c.last_pos, c.unread, c.mentions,
    );
    if (c.read_generation > 0) this.#sql.run('INSERT OR REPLACE INTO read_generations (channel_id, generation) VALUES (?, ?)', c.channel_id, c.read_generation);
  }

  /** The user's channels that have anything unread. */
  badges(): Badge[] {
    return this.#sql.all<Row>(`SELECT ${COLUMNS} FROM ${TABLES} WHERE c.unread > 0 AND c.role IS NOT NULL ORDER BY c.channel_id`).map((row) => badgeOf(toChannel(row)));
  }
}

const toChannel = (row: Row): InboxChannel => ({ ...row, role: memberRoleSchema.nullable().parse(row.role) });
