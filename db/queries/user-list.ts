import { sql, type SQL } from 'drizzle-orm';
import type { User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable } from '../client.ts';
import { callerRow } from './access.ts';
import { userColumns } from './avatar-column.ts';
import { wireTime } from './time.ts';

export interface ListedUser extends User {
  readonly is_bot: boolean;
  readonly deactivated: boolean;
  readonly created_at: string;
}

type Row = { [K in keyof ListedUser]: ListedUser[K] };

const columns: SQL = sql`${userColumns(sql`u`)}, u.bot_owner_id IS NOT NULL AS is_bot, u.deactivated_at IS NOT NULL AS deactivated, ${wireTime(sql`u.created_at`)} AS created_at`;

/** Whom a guest knows of: those of their channels, and themselves. */
const known = (which: SQL): SQL => sql`
  SELECT o.user_id FROM members mine JOIN members o ON o.channel_id = mine.channel_id WHERE mine.user_id = me.id AND ${which} UNION SELECT me.id`;

/** Users in the order of their ids, after that of `after`, the deactivated ones among them: all of them, to a guest those of their channels. */
export async function listUsers(db: Queryable, credentialId: string, page: { readonly after: string; readonly limit: number }): Promise<Outcome<ListedUser[]>> {
  const [me] = await db.execute<{ role: User['role'] }>(callerRow(credentialId));
  if (!me) return { problem: { code: 'unauthenticated' } };
  const among = me.role === 'guest' ? sql`AND u.id IN (SELECT k.user_id FROM (${callerRow(credentialId)}) me CROSS JOIN LATERAL (${known(sql`o.user_id > ${page.after}`)}) k)` : sql``;
  const rows = await db.execute<Row>(sql`SELECT ${columns} FROM users u WHERE u.id > ${page.after} ${among} ORDER BY u.id LIMIT ${page.limit}`);
  return { ok: rows.map((row) => ({ ...row })) };
}

/** One of those. */
export async function findListedUser(db: Queryable, credentialId: string, id: string): Promise<Outcome<ListedUser>> {
  const [row] = await db.execute<Row>(sql`
    SELECT ${columns} FROM (${callerRow(credentialId)}) me JOIN users u ON u.id = ${id} AND (me.role <> 'guest' OR u.id IN (${known(sql`o.user_id = ${id}`)}))`);
  if (row) return { ok: { ...row } };
  const [me] = await db.execute(callerRow(credentialId));
  return { problem: { code: me ? 'not_found' : 'unauthenticated' } };
}
