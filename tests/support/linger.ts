import type { Sql } from '../../db/client.ts';

/** Where Postgres tells of a batch of a group that is committed, which Kafka then is still to be told. */
export const TAKEN = 'taken';

/** Makes each transaction by which a group takes messages linger for so many seconds once its cursor is moved, so that it can be met there. */
export async function lingerOnCursors(sql: Sql, groupId: string, seconds: number): Promise<void> {
  await sql.unsafe(`
    CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('${TAKEN}', ''); PERFORM pg_sleep(${seconds}); RETURN NEW; END $$;
    CREATE TRIGGER linger AFTER UPDATE ON consumer_offsets FOR EACH ROW
      WHEN (NEW.group_id = '${groupId}' AND NEW.topic = 'message.events') EXECUTE FUNCTION linger()`);
}

/** Whether a transaction of the fleet has done all but commit. */
export async function isLingering(sql: Sql): Promise<boolean> {
  const [row] = await sql<[{ count: number }]>`
    SELECT count(*)::integer AS count FROM pg_stat_activity WHERE application_name = 'colink-fleet' AND datname = current_database() AND wait_event = 'PgSleep'`;
  return row.count > 0;
}
