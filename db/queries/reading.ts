import { sql } from 'drizzle-orm';
import type { MyChannel } from '../../protocol/api.ts';
import type { Bigint } from '../in-one-statement.ts';

/** How far a channel is and how far its member has read, of one snapshot: of `conversation_logs l`, `members mine` and `read_states r`, which may have no row. */
export const readingColumns = sql`
  l.epoch, l.drained_seq AS as_of_seq, l.drained_pos AS last_pos, read_place(r.generation, r.read_pos, mine.joined_pos) AS read_pos, coalesce(r.generation, 0) AS read_generation`;

export type ReadingRow = { epoch: number; as_of_seq: Bigint; last_pos: Bigint; read_pos: Bigint; read_generation: Bigint };

export const toReading = (row: ReadingRow): Pick<MyChannel, 'epoch' | 'as_of_seq' | 'last_pos' | 'read_pos' | 'read_generation'> => ({
  epoch: row.epoch,
  as_of_seq: Number(row.as_of_seq),
  last_pos: Number(row.last_pos),
  read_pos: Number(row.read_pos),
  ...(Number(row.read_generation) > 0 && { read_generation: Number(row.read_generation) }),
});
