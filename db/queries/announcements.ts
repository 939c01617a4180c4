import type postgres from 'postgres';
import type { NamedChannelKind } from '../../protocol/events.ts';

/** `n` is the caller's own number for it. */
export interface LoggedChange {
  readonly n: number;
  readonly channel_id: string;
  readonly user_id: string;
  /** `channels.members_version` after it. */
  readonly version: number;
}

/** The numbers of those after which nothing has changed for their member: what was undone since may not be told any more. */
export async function findStandingChanges(sql: postgres.ISql, changes: readonly LoggedChange[]): Promise<Set<number>> {
  if (changes.length === 0) return new Set();
  const rows = await sql<{ n: number }[]>`
    SELECT c.n FROM jsonb_to_recordset(${JSON.stringify(changes)}::text::jsonb) AS c (n integer, channel_id uuid, user_id uuid, version bigint)
    WHERE EXISTS (SELECT 1 FROM members m WHERE m.channel_id = c.channel_id AND m.user_id = c.user_id AND m.version = c.version)
      OR EXISTS (SELECT 1 FROM former_members f WHERE f.channel_id = c.channel_id AND f.user_id = c.user_id AND f.version = c.version)`;
  return new Set(rows.map(({ n }) => n));
}

/** Whose credentials to look for: all that were revoked of `users`, and these of `credentials`. */
export interface RevokedOf {
  readonly users: readonly string[];
  readonly credentials: readonly string[];
}

/** A credential that was revoked before its end, and is not at it yet. `expires_at` in epoch milliseconds. */
export interface RevokedCredentialRow {
  readonly user_id: string;
  readonly credential_id: string;
  readonly expires_at: number;
}

export async function findRevokedCredentials(sql: postgres.ISql, { users, credentials }: RevokedOf): Promise<RevokedCredentialRow[]> {
  if (users.length + credentials.length === 0) return [];
  return await sql<RevokedCredentialRow[]>`
    SELECT c.user_id, c.id AS credential_id, floor(extract(epoch FROM c.expires_at) * 1000)::float8 AS expires_at FROM (
      SELECT o.id FROM json_array_elements_text(${JSON.stringify(users)}::text::json) AS u (id) JOIN credentials o ON o.user_id = u.id::uuid
      UNION
      SELECT r.id::uuid FROM json_array_elements_text(${JSON.stringify(credentials)}::text::json) AS r (id)
    ) wanted JOIN credentials c ON c.id = wanted.id
    WHERE c.revoked_at IS NOT NULL AND c.expires_at > now() ORDER BY c.id`;
}

export interface MembershipRow {
  readonly channel_id: string;
  readonly user_id: string;
}

/** The channels these users are members of. */
export async function findChannelsOf(sql: postgres.ISql, users: readonly string[]): Promise<MembershipRow[]> {
  if (users.length === 0) return [];
  return await sql<MembershipRow[]>`
    SELECT m.channel_id, m.user_id FROM json_array_elements_text(${JSON.stringify(users)}::text::json) AS u (id) JOIN members m ON m.user_id = u.id::uuid`;
}

export interface ChannelStandingRow {
  readonly channel_id: string;
  readonly version: number;
  readonly name: string;
  readonly topic: string;
  readonly purpose: string;
  readonly kind: NamedChannelKind;
  readonly archived_at: string | null;
}

export async function findChannelStandings(sql: postgres.ISql, channels: readonly string[]): Promise<ChannelStandingRow[]> {
  if (channels.length === 0) return [];
  return await sql<ChannelStandingRow[]>`
    SELECT c.id AS channel_id, c.version, c.name, c.topic, c.purpose, c.kind, to_char(c.archived_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS archived_at
    FROM json_array_elements_text(${JSON.stringify(channels)}::text::json) AS w (id) JOIN channels c ON c.id = w.id::uuid AND c.name IS NOT NULL`;
}
