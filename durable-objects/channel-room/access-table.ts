import { memberRoleSchema, type MemberRole } from '../../protocol/events.ts';
import type { SqlDriver } from '../log/sql-driver.ts';

/**
 * What the room knows of a user's membership. `role` null: was removed; the row stays, so that a late, older "added" is recognised by
 * its version. `announced` is the version of the last change that is in the log.
 */
export interface Membership {
  readonly role: MemberRole | null;
  readonly version: number;
  readonly announced: number;
}

export const ACCESS_SCHEMA = `
  CREATE TABLE members (user_id TEXT PRIMARY KEY, role TEXT, version INTEGER NOT NULL, announced INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS revoked_credentials (credential_id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID;`;

/** How long a revoked credential is remembered: longer than any isolate may go on trusting it (G8). */
const REVOKED_MS = 24 * 3_600_000;
/** Memberships held in memory: the rows of those who act. */
const CACHED_MEMBERS = 5_000;

export class AccessTable {
  readonly #sql: SqlDriver;
  readonly #members = new Map<string, Membership>();
  readonly #revoked = new Map<string, number>();

  constructor(sql: SqlDriver) {
    this.#sql = sql;
    const rows = sql.all<{ credential_id: string; expires_at: number }>('SELECT credential_id, expires_at FROM revoked_credentials');
    for (const row of rows) this.#revoked.set(row.credential_id, row.expires_at);
  }

  membership(userId: string): Membership | undefined {
    return this.#members.get(userId) ?? this.#load(userId);
  }

  isMember(userId: string): boolean {
    const role = this.membership(userId)?.role;
    return role !== undefined && role !== null;
  }

  /** At most `limit` of them. */
  members(limit: number): string[] {
    return this.#sql.all<{ user_id: string }>('SELECT user_id FROM members WHERE role IS NOT NULL LIMIT ?', limit).map((row) => row.user_id);
  }

  setMembership(userId: string, { role, version, announced }: Membership): void {
    this.#members.delete(userId);
    this.#sql.run(
      `INSERT INTO members (user_id, role, version, announced) VALUES (?, ?, ?, ?)
       ON CONFLICT (user_id) DO UPDATE SET role = excluded.role, version = excluded.version, announced = excluded.announced`,
      userId, role, version, announced,
    );
  }

  forgetAnnouncements(): void {
    this.#members.clear();
    this.#sql.run('UPDATE members SET announced = 0');
  }

  isRevoked(credentialId: string): boolean {
    return this.#revoked.has(credentialId);
  }

  /** `expiresAt` in epoch milliseconds: from then on the credential is refused for its age, and need not be remembered. */
  revoke(credentialId: string, expiresAt: number, now: number): void {
    const until = Math.min(expiresAt, now + REVOKED_MS);
    this.#sql.run('DELETE FROM revoked_credentials WHERE expires_at <= ?', now);
    this.#sql.run(
      'INSERT INTO revoked_credentials (credential_id, expires_at) VALUES (?, ?) ON CONFLICT (credential_id) DO NOTHING',
      credentialId, until,
    );
    for (const [id, end] of this.#revoked) if (end <= now) this.#revoked.delete(id);
    this.#revoked.set(credentialId, until);
  }

  /** A transaction was rolled back: what memory holds of it is void. */
  forget(): void {
    this.#members.clear();
  }

  #load(userId: string): Membership | undefined {
    const [row] = this.#sql.all<{ role: string | null; version: number; announced: number }>(
      'SELECT role, version, announced FROM members WHERE user_id = ?', userId,
    );
    if (row === undefined) return undefined;
    if (this.#members.size >= CACHED_MEMBERS) this.#members.clear();
    const membership = { ...row, role: memberRoleSchema.nullable().parse(row.role) };
    this.#members.set(userId, membership);
    return membership;
  }
}
