import type { Sql } from '../../db/client.ts';

/**
 * Keeps a list of what a group does to the search index, in the order it was committed: also of a row that is put again and would leave no trace.
 * What is rolled back is no effect.
 */
export async function recordEffects(sql: Sql): Promise<void> {
  await sql`CREATE TABLE effects (place bigint GENERATED ALWAYS AS IDENTITY, xid xid8 NOT NULL DEFAULT pg_current_xact_id(), channel_id uuid NOT NULL, seq bigint NOT NULL)`;
  await sql`
    CREATE FUNCTION record_effect() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO effects (channel_id, seq) VALUES (NEW.channel_id, NEW.seq);
      RETURN NEW;
    END $$`;
  await sql`CREATE TRIGGER record_effect BEFORE INSERT ON search_messages FOR EACH ROW EXECUTE FUNCTION record_effect()`;
}

/**
 * The `seq`s of a channel that were put into the index, batch after batch. Batches of one channel take turns, so places tell their order; within a
 * batch nobody sees one.
 */
export async function readEffects(sql: Sql, channelId: string): Promise<number[]> {
  const rows = await sql<{ seq: number }[]>`
    SELECT e.seq::float8 AS seq FROM effects e WHERE e.channel_id = ${channelId}
    ORDER BY min(e.place) OVER (PARTITION BY e.xid), e.seq`;
  return rows.map(({ seq }) => seq);
}

export async function countEffects(sql: Sql): Promise<number> {
  const [row] = await sql<[{ count: number }]>`SELECT count(*)::integer AS count FROM effects`;
  return row.count;
}
