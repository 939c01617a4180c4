import { sql } from 'drizzle-orm';
import type { User } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { FileState } from '../../protocol/files.ts';
import { type SearchQuery, timeSpan } from '../../protocol/search-query.ts';
import type { Database } from '../client.ts';
import { callerRow } from './access.ts';
import { avatarOf } from './avatar-column.ts';
import { STATEMENT_MS } from './search.ts';
import { type Conditions, isBy, isIn, isSuch, isWith, matchesName } from './search-conditions.ts';
import { fileLag, type IndexLag } from './search-lag.ts';
import { wireTime } from './time.ts';

export interface FilesRequest {
  /** Words and phrases are parts of the name, `from:` is who uploaded it; of what messages have and are it has `is:dm` at most. */
  readonly query: SearchQuery;
  /** Only files with a lower id. */
  readonly before: string | null;
  readonly limit: number;
}

export interface FoundFiles {
  readonly files: FileState[];
  readonly users: User[];
  readonly next: string | null;
  readonly lag: IndexLag;
}

type Row = Omit<FileState, 'id' | 'size'> & { [column: string]: unknown; id: string | null; size: string; handle: string; display_name: string; role: User['role']; avatar: User['avatar'] };

/** Files by their names, newest first, from the channels the caller is a member of at this moment (G5): those that are clean, and not deleted, now. */
export function searchFiles(db: Database, credentialId: string, { query, before, limit }: FilesRequest): Promise<Outcome<FoundFiles>> {
  const conditions = [
    ...matchesName(query),
    ...isBy(query.from, sql`s.uploader_id`),
    ...isIn(query.in, sql`s.channel_id`),
    ...isWith(query.with, sql`s.channel_id`),
    ...isSuch(query),
    ...uploadedWithin(query),
    ...(before === null ? [] : [sql`s.id < ${before}`]),
  ];
  return db.transaction(async (tx): Promise<Outcome<FoundFiles>> => {
    await tx.execute(sql`SELECT set_config('statement_timeout', ${String(STATEMENT_MS)}, true)`);
    const rows = await tx.execute<Row>(sql`
      SELECT hit.id, hit.channel_id, hit.uploader_id, hit.name, hit.media_type, hit.size, hit.sha256, hit.status, hit.thumbnails,
        ${wireTime(sql`hit.created_at`)} AS created_at, a.handle, a.display_name, a.role, ${avatarOf(sql`a`)} AS avatar
      FROM (${callerRow(credentialId)}) me LEFT JOIN LATERAL (
        SELECT f.id, f.channel_id, f.uploader_id, f.name, f.media_type, f.size, f.sha256, f.status, f.thumbnails, f.created_at
        FROM search_files s
        JOIN members mine ON mine.channel_id = s.channel_id AND mine.user_id = me.id
        JOIN files f ON f.id = s.id AND f.status = 'clean' AND f.deleted_at IS NULL
        WHERE ${conditions.length === 0 ? sql`true` : sql.join([...conditions], sql` AND `)}
        ORDER BY s.id DESC LIMIT ${limit + 1}
      ) hit ON true LEFT JOIN users a ON a.id = hit.uploader_id ORDER BY hit.id DESC`);
    if (rows.length === 0) return { problem: { code: 'unauthenticated' } };
    const found = rows.flatMap((row) => (row.id === null ? [] : [{ ...row, id: row.id }]));
    const page = found.slice(0, limit);
    const next = found.length > limit ? (page.at(-1)?.id ?? null) : null;
    return { ok: { files: page.map(toFile), users: uploadersOf(page), next, lag: await fileLag(tx, credentialId) } };
  });
}

function uploadedWithin({ dates }: SearchQuery): Conditions {
  const { since, until } = timeSpan(dates);
  const at = (ms: number) => sql`${new Date(ms).toISOString()}::timestamptz`;
  return [...(since === null ? [] : [sql`f.created_at >= ${at(since)}`]), ...(until === null ? [] : [sql`f.created_at < ${at(until)}`])];
}

type FoundRow = Row & { id: string };

function toFile({ id, channel_id, uploader_id, name, media_type, size, sha256, status, thumbnails, created_at }: FoundRow): FileState {
  return { id, channel_id, uploader_id, name, media_type, size: Number(size), sha256, status, thumbnails, created_at };
}

function uploadersOf(rows: readonly FoundRow[]): User[] {
  const uploaders = new Map(rows.map(({ uploader_id: id, handle, display_name, role, avatar }) => [id, { id, handle, display_name, role, avatar }]));
  return [...uploaders.values()];
}
