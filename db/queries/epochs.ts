import type postgres from 'postgres';

/**
 * Epochs of logs, by number. One that was in use never comes again, or a client's cursor of a lost history would seem good (G4): also not where a
 * log's own storage is lost together with a Postgres that is put back to before an earlier epoch began. So no epoch but the first is below the minute
 * it begins in, counted from 1970: a backup that is put back shows an earlier one.
 */
type Fragment = postgres.PendingQuery<postgres.Row[]>;

const minute = (sql: postgres.TransactionSql): Fragment => sql`floor(extract(epoch FROM now()) / 60)::int`;

/** That of a log which nobody has claimed yet, of an owner `o` in the query: 1, where it is new; of another it may be forgotten that it had one. */
export const firstEpoch = (sql: postgres.TransactionSql): Fragment => sql`CASE WHEN o.created_at > now() - interval '10 minutes' THEN 1 ELSE ${minute(sql)} END`;

/** The next one of a log `l` in the query. */
export const nextEpoch = (sql: postgres.TransactionSql): Fragment => sql`greatest(l.epoch + 1, ${minute(sql)})`;
