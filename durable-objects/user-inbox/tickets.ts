import type { Actor } from '../sockets/actor-api.ts';
import type { SqlDriver } from '../log/sql-driver.ts';

/** Live tickets of one user, of which each of their sockets has one; past it the oldest is void. */
const MAX_TICKETS = 1_000;
/** Longer than any isolate may go on trusting a revoked credential, and a ticket that it still got may live. */
const REVOKED_MS = 48 * 3_600_000;

const SCHEMA = `
  DROP TABLE IF EXISTS tickets;
  CREATE TABLE IF NOT EXISTS socket_tickets (
    n INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, credential_id TEXT NOT NULL, credential_expires_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS revoked_credentials (credential_id TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;`;

/** Single-use tickets, by the hash of their secret. Times in epoch milliseconds. */
export class Tickets {
  readonly #sql: SqlDriver;

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    sql.run(SCHEMA);
  }

  issue(hash: string, actor: Actor, now: number, expiresAt: number): void {
    this.#purge(now);
    this.#sql.run(
      'INSERT INTO socket_tickets (hash, user_id, credential_id, credential_expires_at, expires_at) VALUES (?, ?, ?, ?, ?)',
      hash, actor.user_id, actor.credential_id, actor.expires_at, expiresAt,
    );
  }

  /** The actor, for the first who asks in time: the next ticket takes the place of this one. One statement, because herds come back by it. */
  redeem(hash: string, now: number, next: { readonly hash: string; readonly expiresAt: number }): Actor | null {
    const [actor] = this.#sql.all<{ user_id: string; credential_id: string; expires_at: number }>(
      `UPDATE socket_tickets SET hash = ?, expires_at = ?
       WHERE hash = ? AND expires_at > ? AND credential_expires_at > ? AND credential_id NOT IN (SELECT credential_id FROM revoked_credentials)
       RETURNING user_id, credential_id, credential_expires_at AS expires_at`,
      next.hash, next.expiresAt, hash, now, now,
    );
    return actor ?? null;
  }

  /** An isolate may still trust the credential for a while and ask for tickets: they are void too. */
  revoke(credentialId: string, now: number): void {
    this.#purge(now);
    this.#sql.run('DELETE FROM socket_tickets WHERE credential_id = ?', credentialId);
    this.#sql.run(
      'INSERT INTO revoked_credentials (credential_id, until) VALUES (?, ?) ON CONFLICT (credential_id) DO NOTHING', credentialId, now + REVOKED_MS,
    );
  }

  isRevoked(credentialId: string): boolean {
    return this.#sql.all('SELECT until FROM revoked_credentials WHERE credential_id = ?', credentialId).length > 0;
  }

  #purge(now: number): void {
    this.#sql.run('DELETE FROM socket_tickets WHERE expires_at <= ?', now);
    this.#sql.run('DELETE FROM revoked_credentials WHERE until <= ?', now);
    this.#sql.run('DELETE FROM socket_tickets WHERE n <= (SELECT n FROM socket_tickets ORDER BY n DESC LIMIT 1 OFFSET ?)', MAX_TICKETS - 1);
  }
}
