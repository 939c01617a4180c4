import type { Sql } from '../client.ts';

/** Which instance of a room drains: an older fence, or another epoch, is refused. */
interface DrainPlace {
  readonly channelId: string;
  readonly epoch: number;
  readonly fence: number;
}

export interface DrainBatch extends DrainPlace {
  /** A JSON array of wire events in `seq` order, without gaps. What is drained already is skipped. */
  readonly eventsJson: string;
  /** A JSON object of the trace contexts that some of them have, by `seq`. */
  readonly tracesJson?: string | null;
}

export interface PoisonEvent extends DrainPlace {
  readonly seq: number;
  readonly eventJson: string;
  readonly errorClass: string;
  readonly errorMessage: string;
}

/**
 * `ok`: everything up to `drained_seq` is stored. `fenced`: a newer instance drains, or the epoch is another. `gap`: the batch is not
 * the contiguous continuation of `drained_seq`. `unknown`: there is no such channel.
 */
export interface DrainAnswer {
  readonly status: 'ok' | 'fenced' | 'gap' | 'unknown';
  readonly drained_seq: number;
}

type Row = { status: DrainAnswer['status']; drained_seq: string };

/** Projects a batch in one transaction and one statement. Throws what the driver throws: see `classifyPostgresError`. */
export async function drainBatch(sql: Sql, batch: DrainBatch): Promise<DrainAnswer> {
  const { channelId, epoch, fence, eventsJson, tracesJson = null } = batch;
  // Typed as text: a parameter of type jsonb would be encoded once more.
  const rows =
    tracesJson === null
      ? await sql<Row[]>`SELECT status, drained_seq FROM drain_conversation(${channelId}, ${epoch}, ${fence}, ${eventsJson}::text::jsonb)`
      : await sql<Row[]>`SELECT status, drained_seq FROM drain_traced_conversation(${channelId}, ${epoch}, ${fence}, ${eventsJson}::text::jsonb, ${tracesJson}::text::jsonb)`;
  return answer(rows);
}

/** Steps over one event that Postgres cannot take: it goes to `dead_letters` whole, and the prefix moves on. */
export async function skipPoison(sql: Sql, poison: PoisonEvent): Promise<DrainAnswer> {
  const rows = await sql<Row[]>`
    SELECT status, drained_seq
    FROM skip_poison_event(${poison.channelId}, ${poison.epoch}, ${poison.fence}, ${poison.seq},
      convert_to(${poison.eventJson}::text, 'UTF8'), ${poison.errorClass}, ${poison.errorMessage})`;
  return answer(rows);
}

function answer([row]: readonly Row[]): DrainAnswer {
  if (row === undefined) throw new Error('the drain function returned no row');
  return { status: row.status, drained_seq: Number(row.drained_seq) };
}
