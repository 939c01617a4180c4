import { sql } from 'drizzle-orm';
import type { Revision } from '../../protocol/api.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Queryable } from '../client.ts';
import { refuseReader, refuseViewer, standingColumns, standingTables, type Standing } from './access.ts';
import { wireTime } from './time.ts';

export interface RevisionsRequest {
  readonly credentialId: string;
  readonly channelId: string;
  readonly messageId: string;
  /** Only revisions of a lower number. */
  readonly before: number;
  readonly limit: number;
}

type Row = Standing & {
  caller_id: string; author_id: string | null; revision: number | null; text: string; written_at: string; [column: string]: unknown;
};

/** What a message has said, the newest first, for its author and for moderators who may know of the channel. Of a deleted message there is nothing. */
export async function listRevisions(db: Queryable, { credentialId, channelId, messageId, before, limit }: RevisionsRequest): Promise<Outcome<Revision[]>> {
  const rows = await db.execute<Row>(sql`
    SELECT ${standingColumns}, me.id AS caller_id, m.author_id, v.revision, v.text, ${wireTime(sql`v.written_at`)} AS written_at
    FROM ${standingTables(credentialId, channelId)}
    LEFT JOIN messages m ON m.id = ${messageId} AND m.channel_id = ch.id
    LEFT JOIN LATERAL (
      SELECT m.revision, m.text, coalesce(m.edited_at, m.created_at) AS written_at WHERE m.revision < ${before}
      UNION ALL
      (SELECT r.revision, r.text, r.written_at FROM message_revisions r WHERE r.message_id = m.id AND r.revision < ${before} ORDER BY r.revision DESC LIMIT ${limit})
    ) v ON m.deleted_at IS NULL
    ORDER BY v.revision DESC LIMIT ${limit}`);
  const problem = refuse(rows[0]);
  if (problem) return { problem };
  return { ok: rows.flatMap(({ revision, text, written_at }) => (revision === null ? [] : [{ revision, text, written_at }])) };
}

/** Who may not even read the message learns nothing of it. */
function refuse(row: Row | undefined): Problem | null {
  const moderates = row?.user_role === 'admin' || row?.user_role === 'moderator';
  const problem = moderates ? refuseViewer(row) : refuseReader(row);
  if (problem || row?.author_id == null) return problem ?? { code: 'not_found' };
  if (moderates || row.author_id === row.caller_id) return null;
  return { code: 'forbidden', detail: 'This is for the author of the message and for moderators' };
}
