import type { SqlDriver } from '../log/sql-driver.ts';
import type { LogHead } from './room-api.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS fanout_nodes (node INTEGER PRIMARY KEY, epoch INTEGER, told INTEGER);
  CREATE TABLE IF NOT EXISTS distrusted_nodes (node INTEGER PRIMARY KEY);
  CREATE TABLE IF NOT EXISTS node_rosters (node INTEGER PRIMARY KEY, users TEXT NOT NULL, heard_at INTEGER NOT NULL);`;

/**
 * A node and what it has certainly been told; null: something is on its way, or was when the instance died. `isTrusted` false: it may have sockets of who has no
 * access any more.
 */
export interface StoredNode {
  readonly node: number;
  readonly told: LogHead | null;
  readonly isTrusted: boolean;
}

/** Hashed ids of the users who have a socket there, as the node said at that time (epoch milliseconds). */
export interface StoredRoster {
  readonly node: number;
  readonly users: readonly number[];
  readonly heardAt: number;
}

/** The nodes of a room. They outlive what else the room knows: their sockets are there whatever becomes of its log. */
export class NodeTable {
  readonly #sql: SqlDriver;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(SCHEMA);
  }

  all(): StoredNode[] {
    const rows = this.#sql.all<{ node: number; epoch: number | null; told: number | null; trusted: number }>(
      'SELECT node, epoch, told, node NOT IN (SELECT node FROM distrusted_nodes) AS trusted FROM fanout_nodes ORDER BY node',
    );
    return rows.map(({ node, epoch, told, trusted }) => ({ node, isTrusted: trusted === 1, told: epoch === null || told === null ? null : { epoch, seq: told } }));
  }

  add(node: number): void {
    this.#sql.run('INSERT INTO fanout_nodes (node, epoch, told) VALUES (?, NULL, NULL)', node);
  }

  remove(node: number): void {
    this.#sql.run('DELETE FROM fanout_nodes WHERE node = ?', node);
    this.#sql.run('DELETE FROM node_rosters WHERE node = ?', node);
    this.trust(node);
  }

  distrust(node: number): void {
    this.#sql.run('INSERT OR IGNORE INTO distrusted_nodes (node) VALUES (?)', node);
  }

  trust(node: number): void {
    this.#sql.run('DELETE FROM distrusted_nodes WHERE node = ?', node);
  }

  rosters(): StoredRoster[] {
    const rows = this.#sql.all<{ node: number; users: string; heard_at: number }>('SELECT node, users, heard_at FROM node_rosters');
    // They were written by `saveRoster`.
    return rows.map(({ node, users, heard_at }) => ({ node, users: JSON.parse(users) as number[], heardAt: heard_at }));
  }

  saveRoster(node: number, users: readonly number[], heardAt: number): void {
    this.#sql.run('INSERT OR REPLACE INTO node_rosters (node, users, heard_at) VALUES (?, ?, ?)', node, JSON.stringify(users), heardAt);
  }

  /** From now on no node is known to have been told everything. */
  doubt(): void {
    this.#sql.run('UPDATE fanout_nodes SET epoch = NULL, told = NULL WHERE told IS NOT NULL');
  }

  settle(node: number, { epoch, seq }: LogHead): void {
    this.#sql.run('UPDATE fanout_nodes SET epoch = ?, told = ? WHERE node = ?', epoch, seq, node);
  }
}
