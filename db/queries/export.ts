import { sql, type SQL } from 'drizzle-orm';
import type { ExportSection } from '../../protocol/export.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable, Transaction } from '../client.ts';
import { refuseNonAdmin } from './administrators.ts';
import { recordAct } from './audit.ts';
import { wireTime } from './time.ts';

/** Exports of one user that can be gone on with at a time, and for how many hours each. */
const MAX_EXPORTS = 10;
const EXPORT_HOURS = 24;

export interface Export {
  readonly id: string;
  readonly include_private: boolean;
  readonly started_at: string;
}

interface ExportRequest {
  readonly id: string;
  readonly credentialId: string;
  readonly userId: string;
  readonly includePrivate: boolean;
  readonly now: Date;
}

/**
 * An administrator begins an export. It has every channel there is now (private and direct ones where asked for) up to the event that Postgres has of it now: no later message gets in,
 * however long it takes. `conflict` where they have begun too many.
 */
export async function startExport(tx: Transaction, { id, credentialId, userId, includePrivate, now }: ExportRequest): Promise<Outcome<Export>> {
  const problem = await refuseNonAdmin(tx, credentialId);
  if (problem) return { problem };
  await tx.execute(sql`SELECT FROM users u WHERE u.id = ${userId} FOR NO KEY UPDATE`);
  await tx.execute(sql`DELETE FROM exports e WHERE e.started_at < now() - make_interval(hours => ${EXPORT_HOURS})`);
  const [live] = await tx.execute<{ exports: number }>(sql`SELECT count(*)::integer AS exports FROM exports e WHERE e.user_id = ${userId}`);
  if ((live?.exports ?? 0) >= MAX_EXPORTS) return { problem: { code: 'conflict', detail: `at most ${MAX_EXPORTS} exports can be begun in ${EXPORT_HOURS} hours: go on with one` } };
  const started_at = now.toISOString();
  await tx.execute(sql`INSERT INTO exports (id, user_id, include_private, started_at) VALUES (${id}, ${userId}, ${includePrivate}, ${started_at}::timestamptz)`);
  await tx.execute(sql`
    INSERT INTO export_channels (export_id, channel_id, as_of_seq)
    SELECT ${id}::uuid, l.channel_id, l.drained_seq FROM conversation_logs l JOIN channels ch ON ch.id = l.channel_id WHERE ${includePrivate} OR ch.kind = 'public'`);
  await recordAct(tx, { act: 'export.started', target: ['export', id], details: { include_private: includePrivate } });
  return { ok: { id, include_private: includePrivate, started_at } };
}

/** Rows looked at, in the order of their keys. */
export interface ExportPage {
  /** JSON texts of those rows that belong to the export. */
  readonly data: readonly string[];
  /** The key of the last row; null: these were the last. */
  readonly after: string | null;
}

/** The next `limit` rows of a section, for the administrator who began the export, as long as they are one and it can be gone on with; `bad_cursor` for anybody else. */
export async function readExport(db: Queryable, by: { credentialId: string; userId: string }, place: { exportId: string; section: ExportSection; after: string }, limit: number): Promise<Outcome<ExportPage>> {
  const problem = await refuseNonAdmin(db, by.credentialId);
  if (problem) return { problem };
  const [live] = await db.execute(sql`
    SELECT e.id FROM exports e WHERE e.id = ${place.exportId} AND e.user_id = ${by.userId} AND e.started_at >= now() - make_interval(hours => ${EXPORT_HOURS})`);
  if (!live) return { problem: { code: 'bad_cursor', detail: 'the export is over, or another\'s: begin one' } };
  const rows = await db.execute<{ key: string; data: string | null }>(SECTIONS[place.section](place.exportId, place.after, limit));
  return { ok: { data: rows.flatMap(({ data }) => (data === null ? [] : [data])), after: rows.length < limit ? null : (rows.at(-1)?.key ?? null) } };
}

const NIL = '00000000-0000-0000-0000-000000000000';
const idAfter = (after: string): SQL => sql`${after === '' ? NIL : after}::uuid`;

/** Whether a row of a channel belongs to the export: its rows are looked at whether it does or not, so that a page costs no more where few do. */
const ofExport = (exportId: string): SQL => sql`export_channels ec ON ec.export_id = ${exportId} AND ec.channel_id = p.channel_id`;

const SECTIONS: Record<ExportSection, (exportId: string, after: string, limit: number) => SQL> = {
  channel: (exportId, after, limit) => sql`
    SELECT ec.channel_id::text AS key, json_build_object('id', ch.id, 'kind', ch.kind, 'name', ch.name, 'topic', ch.topic, 'purpose', ch.purpose, 'created_by', ch.created_by,
      'created_at', ${wireTime(sql`ch.created_at`)}, 'archived_at', ${wireTime(sql`ch.archived_at`)}, 'as_of_seq', ec.as_of_seq)::text AS data
    FROM export_channels ec JOIN channels ch ON ch.id = ec.channel_id
    WHERE ec.export_id = ${exportId} AND ec.channel_id > ${idAfter(after)} ORDER BY ec.channel_id LIMIT ${limit}`,

  member: (exportId, after, limit) => {
    const [channel = NIL, user = NIL] = after.split(' ', 2);
    return sql`
      WITH p AS (
        SELECT m.channel_id, m.user_id, m.role, m.joined_at FROM members m WHERE (m.channel_id, m.user_id) > (${channel || NIL}::uuid, ${user}::uuid)
        ORDER BY m.channel_id, m.user_id LIMIT ${limit}
      )
      SELECT p.channel_id || ' ' || p.user_id AS key, CASE WHEN ec.channel_id IS NOT NULL THEN
        json_build_object('channel_id', p.channel_id, 'user_id', p.user_id, 'role', p.role, 'joined_at', ${wireTime(sql`p.joined_at`)})::text END AS data
      FROM p LEFT JOIN ${ofExport(exportId)} ORDER BY p.channel_id, p.user_id`;
  },

  message: (exportId, after, limit) => sql`
    WITH p AS (
      SELECT m.id, m.channel_id, m.seq, m.pos, m.thread_id, m.tpos, m.author_id, m.client_msg_id, m.text, m.origin, m.revision, m.created_at, m.edited_at, m.deleted_at
      FROM messages m WHERE m.id > ${idAfter(after)} ORDER BY m.id LIMIT ${limit}
    )
    SELECT p.id::text AS key, CASE WHEN ec.channel_id IS NOT NULL THEN json_build_object('id', p.id, 'channel_id', p.channel_id, 'seq', p.seq, 'pos', p.pos,
      'thread_id', p.thread_id, 'tpos', p.tpos, 'author_id', p.author_id, 'client_msg_id', p.client_msg_id, 'text', p.text, 'origin', p.origin, 'revision', p.revision,
      'created_at', ${wireTime(sql`p.created_at`)}, 'edited_at', ${wireTime(sql`p.edited_at`)}, 'deleted_at', ${wireTime(sql`p.deleted_at`)},
      'file_ids', (SELECT coalesce(json_agg(l.file_id ORDER BY l.place), '[]') FROM message_files l WHERE l.message_id = p.id),
      'previews', coalesce((SELECT v.previews FROM message_previews v WHERE v.message_id = p.id), '[]'))::text END AS data
    FROM p LEFT JOIN ${ofExport(exportId)} AND p.seq <= ec.as_of_seq ORDER BY p.id`,

  revision: (exportId, after, limit) => {
    const [message = NIL, revision = '0'] = after.split(' ', 2);
    return sql`
      WITH p AS (
        SELECT r.message_id, r.revision, r.text, r.written_at FROM message_revisions r WHERE (r.message_id, r.revision) > (${message || NIL}::uuid, ${revision}::integer)
        ORDER BY r.message_id, r.revision LIMIT ${limit}
      )
      SELECT p.message_id || ' ' || p.revision AS key, CASE WHEN ec.channel_id IS NOT NULL THEN json_build_object('message_id', p.message_id, 'revision', p.revision,
        'text', p.text, 'written_at', ${wireTime(sql`p.written_at`)})::text END AS data
      FROM p LEFT JOIN messages m ON m.id = p.message_id
      LEFT JOIN export_channels ec ON ec.export_id = ${exportId} AND ec.channel_id = m.channel_id AND m.seq <= ec.as_of_seq ORDER BY p.message_id, p.revision`;
  },

  pin: (exportId, after, limit) => sql`
    WITH p AS (
      SELECT n.message_id, n.channel_id, n.pinned_by, n.pinned_at, n.seq FROM pins n WHERE n.message_id > ${idAfter(after)} ORDER BY n.message_id LIMIT ${limit}
    )
    SELECT p.message_id::text AS key, CASE WHEN ec.channel_id IS NOT NULL THEN json_build_object('message_id', p.message_id, 'channel_id', p.channel_id,
      'pinned_by', p.pinned_by, 'pinned_at', ${wireTime(sql`p.pinned_at`)})::text END AS data
    FROM p LEFT JOIN ${ofExport(exportId)} AND p.seq <= ec.as_of_seq ORDER BY p.message_id`,

  reaction: (exportId, after, limit) => {
    // An emoji has no white space.
    const [message = NIL, emoji = '', user = NIL] = after.split(' ', 3);
    return sql`
      WITH p AS (
        SELECT r.message_id, r.emoji, r.user_id, r.channel_id, r.seq FROM reactions r WHERE (r.message_id, r.emoji, r.user_id) > (${message || NIL}::uuid, ${emoji}, ${user}::uuid)
        ORDER BY r.message_id, r.emoji, r.user_id LIMIT ${limit}
      )
      SELECT p.message_id || ' ' || p.emoji || ' ' || p.user_id AS key, CASE WHEN ec.channel_id IS NOT NULL THEN
        json_build_object('message_id', p.message_id, 'emoji', p.emoji, 'user_id', p.user_id)::text END AS data
      FROM p LEFT JOIN ${ofExport(exportId)} AND p.seq <= ec.as_of_seq ORDER BY p.message_id, p.emoji, p.user_id`;
  },

  file: (exportId, after, limit) => sql`
    WITH p AS (
      SELECT f.id, f.channel_id, f.uploader_id, f.name, f.media_type, f.size, f.sha256, f.status, f.created_at, f.deleted_at
      FROM files f WHERE f.id > ${idAfter(after)} ORDER BY f.id LIMIT ${limit}
    )
    SELECT p.id::text AS key, CASE WHEN ec.channel_id IS NOT NULL THEN json_build_object('id', p.id, 'channel_id', p.channel_id, 'uploader_id', p.uploader_id, 'name', p.name,
      'media_type', p.media_type, 'size', p.size, 'sha256', p.sha256, 'status', p.status, 'created_at', ${wireTime(sql`p.created_at`)},
      'deleted_at', ${wireTime(sql`p.deleted_at`)}, 'content', '/v1/files/' || p.id || '/content')::text END AS data
    FROM p LEFT JOIN ${ofExport(exportId)} ORDER BY p.id`,

  user: (_, after, limit) => sql`
    SELECT u.id::text AS key, json_build_object('id', u.id, 'handle', u.handle, 'display_name', u.display_name, 'role', u.role, 'title', u.title, 'pronouns', u.pronouns,
      'time_zone', u.time_zone, 'avatar_file_id', u.avatar_file_id, 'issuer', u.issuer, 'subject', u.subject,
      'bot_owner_id', u.bot_owner_id, 'created_at', ${wireTime(sql`u.created_at`)}, 'deactivated_at', ${wireTime(sql`u.deactivated_at`)})::text AS data
    FROM users u WHERE u.id > ${idAfter(after)} ORDER BY u.id LIMIT ${limit}`,
};
