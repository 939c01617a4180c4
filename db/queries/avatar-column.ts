import { sql, type SQL } from 'drizzle-orm';

/** `Avatar` or null, of the user `u`: of what their row has, so that nobody who reads a row reads another. */
export const avatarOf = (u: SQL): SQL<unknown> => sql`CASE WHEN ${u}.avatar_file_id IS NOT NULL THEN
  json_build_object('file_id', ${u}.avatar_file_id, 'url', '/v1/users/' || ${u}.id || '/avatar?v=' || ${u}.avatar_file_id) END`;

/** The columns of `User`, of the user `u`. */
export const userColumns = (u: SQL): SQL => sql`${u}.id, ${u}.handle, ${u}.display_name, ${u}.role, ${avatarOf(u)} AS avatar`;
