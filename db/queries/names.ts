import { sql } from 'drizzle-orm';
import type { Queryable } from '../client.ts';
import { callerRow } from './access.ts';

const idsOf = (ids: readonly string[]) => sql`(SELECT (i.value #>> '{}')::uuid FROM jsonb_array_elements(${JSON.stringify(ids)}::text::jsonb) i)`;

/** Handles of these users, and names of those of these channels that the caller may know of. */
export async function findNames(
  db: Queryable,
  credentialId: string,
  { users, channels }: { readonly users: readonly string[]; readonly channels: readonly string[] },
): Promise<{ readonly users: ReadonlyMap<string, string>; readonly channels: ReadonlyMap<string, string> }> {
  const rows = await db.execute<{ id: string; name: string; is_user: boolean }>(sql`
    SELECT n.id, n.name, n.is_user FROM (${callerRow(credentialId)}) me CROSS JOIN LATERAL (
      SELECT u.id, u.handle AS name, true AS is_user FROM users u WHERE u.id IN ${idsOf(users)}
      UNION ALL
      SELECT ch.id, ch.name, false FROM channels ch LEFT JOIN members mine ON mine.channel_id = ch.id AND mine.user_id = me.id
      WHERE ch.id IN ${idsOf(channels)} AND ch.name IS NOT NULL AND (mine.role IS NOT NULL OR (ch.kind = 'public' AND me.role <> 'guest'))
    ) n`);
  const of = (wanted: boolean) => new Map(rows.filter(({ is_user }) => is_user === wanted).map(({ id, name }): [string, string] => [id, name]));
  return { users: of(true), channels: of(false) };
}

/** Ids of the users of these handles, by handle; and which of these users are bots. */
export async function findPeople(
  db: Queryable,
  handles: readonly string[],
  ids: readonly string[],
): Promise<{ readonly ids: ReadonlyMap<string, string>; readonly bots: ReadonlySet<string> }> {
  if (handles.length + ids.length === 0) return { ids: new Map(), bots: new Set() };
  const rows = await db.execute<{ id: string; handle: string; is_bot: boolean; is_named: boolean }>(sql`
    SELECT u.id, u.handle, false AS is_bot, true AS is_named FROM users u WHERE u.handle IN (SELECT h.value FROM jsonb_array_elements_text(${JSON.stringify(handles)}::text::jsonb) h)
    UNION ALL SELECT u.id, u.handle, true, false FROM users u WHERE u.id IN ${idsOf(ids)} AND u.bot_owner_id IS NOT NULL`);
  return { ids: new Map(rows.filter(({ is_named }) => is_named).map(({ id, handle }) => [handle, id])), bots: new Set(rows.filter(({ is_bot }) => is_bot).map(({ id }) => id)) };
}
