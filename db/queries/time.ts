import { sql, type SQL } from 'drizzle-orm';
import type postgres from 'postgres';

/** A timestamp on the wire: RFC 3339, UTC, milliseconds. */
export const wireTime = (column: SQL): SQL => sql`to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** What Postgres' own clock says at this moment, in milliseconds since 1970. */
export async function readClock(db: postgres.ISql): Promise<number> {
  const [row] = await db<[{ at: number }]>`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at`;
  return row.at;
}
