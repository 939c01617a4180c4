import type postgres from 'postgres';

/** Every channel that a user is or was a member of: none but members have ever written there. */
export async function findChannelsEverOf(sql: postgres.ISql, userId: string): Promise<string[]> {
  const rows = await sql<{ channel_id: string }[]>`
    SELECT m.channel_id FROM members m WHERE m.user_id = ${userId}
    UNION
    SELECT f.channel_id FROM former_members f WHERE f.user_id = ${userId}
    ORDER BY channel_id`;
  return rows.map(({ channel_id }) => channel_id);
}
