import { sql, type SQL } from 'drizzle-orm';

/** A timestamp on the wire: RFC 3339, UTC, milliseconds. */
export const wireTime = (column: SQL): SQL => sql`to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
