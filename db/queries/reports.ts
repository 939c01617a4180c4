import { sql, type SQL } from 'drizzle-orm';
import type { Outcome } from '../../protocol/errors.ts';
import { MAX_OPEN_REPORTS, type OwnReport, type Report, type ReportBody, type ReportDetail, type ReportStatus, type ResolveReportBody } from '../../protocol/moderation.ts';
import type { Queryable, Transaction } from '../client.ts';
import { refuseReader, standingColumns, standingTables, type Standing } from './access.ts';
import { refuseNonModerator } from './administrators.ts';
import { recordAct } from './audit.ts';
import { lockMessage, type ModerationRequest, type OrderedRemoval, orderRemoval } from './removals.ts';
import { wireTime } from './time.ts';

/** Reports that one act names in the audit log. */
const MOST_NAMED = 50;

const ownColumns: SQL = sql`r.id, r.message_id, r.reason, r.comment, CASE WHEN r.resolved_at IS NULL THEN 'open' ELSE 'resolved' END AS status,
  ${wireTime(sql`r.created_at`)} AS created_at`;
const reportColumns: SQL = sql`${ownColumns}, m.id IS NULL OR m.deleted_at IS NOT NULL AS message_deleted, r.channel_id, ch.kind AS channel_kind, r.author_id, r.reporter_id, ${wireTime(sql`r.resolved_at`)} AS resolved_at,
  r.resolved_by, r.action, r.note`;

const reportTables: SQL = sql`message_reports r JOIN channels ch ON ch.id = r.channel_id LEFT JOIN messages m ON m.id = r.message_id`;

type Row<T> = { [K in keyof T]: T[K] };

export interface ReportRequest extends ReportBody {
  readonly id: string;
  readonly credentialId: string;
  readonly reporterId: string;
  readonly channelId: string;
  readonly messageId: string;
  readonly now: Date;
}

/**
 * A member reports a message of their channel, direct ones among them, once: a second time it is the report that there is, and `made` is false. What was said is kept with it until it is
 * resolved. `not_found` for a message that is not in Postgres, was deleted, or is to be removed; `conflict` for one's own, and for one more than a user may have open.
 */
export async function reportMessage(tx: Transaction, request: ReportRequest): Promise<Outcome<{ made: boolean; report: OwnReport }>> {
  const { credentialId, reporterId, channelId, messageId } = request;
  // Locked before the reports are counted, so that two at once do not both take the last place.
  await tx.execute(sql`SELECT FROM users u WHERE u.id = ${reporterId} FOR NO KEY UPDATE`);
  const [standing] = await tx.execute<Row<Standing>>(sql`SELECT ${standingColumns} FROM ${standingTables(credentialId, channelId)}`);
  const problem = refuseReader(standing);
  if (problem) return { problem };
  const known = await findOwn(tx, request);
  if (known) return { ok: { made: false, report: known } };
  await lockMessage(tx, messageId);
  const [message] = await tx.execute<{ author_id: string; text: string }>(sql`
    SELECT m.author_id, m.text FROM messages m WHERE m.id = ${messageId} AND m.channel_id = ${channelId} AND m.deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM message_removals mr WHERE mr.message_id = m.id)`);
  if (!message) return { problem: { code: 'not_found' } };
  if (message.author_id === reporterId) return { problem: { code: 'conflict', detail: 'one deletes one\'s own message' } };
  const [open] = await tx.execute<{ reports: number }>(sql`SELECT count(*)::integer AS reports FROM message_reports r WHERE r.reporter_id = ${reporterId} AND r.resolved_at IS NULL`);
  if ((open?.reports ?? 0) >= MAX_OPEN_REPORTS) return { problem: { code: 'conflict', detail: `a user has at most ${MAX_OPEN_REPORTS} open reports: wait until some are resolved` } };
  await tx.execute(sql`
    INSERT INTO message_reports (id, message_id, channel_id, author_id, reporter_id, reason, comment, snapshot, created_at)
    VALUES (${request.id}, ${messageId}, ${channelId}, ${message.author_id}, ${reporterId}, ${request.reason}, ${request.comment}, ${message.text}, ${request.now.toISOString()}::timestamptz)`);
  const report = await findOwn(tx, request);
  if (!report) throw new Error('the report vanished in its transaction');
  return { ok: { made: true, report } };
}

async function findOwn(tx: Transaction, { messageId, reporterId }: ReportRequest): Promise<OwnReport | null> {
  const [row] = await tx.execute<Row<OwnReport>>(sql`SELECT ${ownColumns} FROM message_reports r WHERE r.message_id = ${messageId} AND r.reporter_id = ${reporterId}`);
  return row ? { ...row } : null;
}

/** The open ones, the oldest first; or the resolved ones, the newest first. Without what was reported. Behind the report `after`. */
export async function listReports(db: Queryable, credentialId: string, status: ReportStatus, page: { after: string | null; limit: number }): Promise<Outcome<Report[]>> {
  const problem = await refuseNonModerator(db, credentialId);
  if (problem) return { problem };
  const { which, behind, order } = status === 'open' ? { which: sql`IS NULL`, behind: sql`>`, order: sql`ASC` } : { which: sql`IS NOT NULL`, behind: sql`<`, order: sql`DESC` };
  const after = page.after === null ? sql`` : sql`AND r.id ${behind} ${page.after}::uuid`;
  const rows = await db.execute<Row<Report>>(sql`
    SELECT ${reportColumns} FROM ${reportTables}
    WHERE r.resolved_at ${which} ${after} ORDER BY r.id ${order} LIMIT ${page.limit}`);
  return { ok: rows.map((row) => ({ ...row })) };
}

/** One with the message as it was reported, whether or not who moderates is a member where it was: that they looked is audited. */
export async function viewReport(tx: Transaction, credentialId: string, id: string): Promise<Outcome<ReportDetail>> {
  const problem = await refuseNonModerator(tx, credentialId);
  if (problem) return { problem };
  const [row] = await tx.execute<Row<ReportDetail>>(sql`
    SELECT ${reportColumns}, r.snapshot AS text FROM ${reportTables} WHERE r.id = ${id}`);
  if (!row) return { problem: { code: 'not_found' } };
  if (row.text !== null) await recordAct(tx, { act: 'report.viewed', target: ['report', id], details: { message_id: row.message_id, channel_id: row.channel_id } });
  return { ok: { ...row } };
}

/** What was resolved, and the removal that was ordered by it. */
interface Resolved {
  readonly report: Report;
  readonly removal: OrderedRemoval | null;
}

/** Judges the message: all open reports of it are resolved with this one, and what they kept of it is forgotten. `conflict` for one that is resolved, or of who resolves it. */
export async function resolveReport(tx: Transaction, request: ModerationRequest, id: string, { action, note }: ResolveReportBody): Promise<Outcome<Resolved>> {
  const problem = await refuseNonModerator(tx, request.credentialId);
  if (problem) return { problem };
  const [known] = await tx.execute<{ message_id: string }>(sql`SELECT r.message_id FROM message_reports r WHERE r.id = ${id}`);
  if (!known) return { problem: { code: 'not_found' } };
  await lockMessage(tx, known.message_id);
  const [named] = await tx.execute<{ message_id: string; author_id: string }>(sql`
    SELECT r.message_id, r.author_id FROM message_reports r WHERE r.id = ${id} AND r.resolved_at IS NULL FOR UPDATE`);
  if (!named) return { problem: { code: 'conflict', detail: 'the report is resolved' } };
  if (named.author_id === request.actorId) return { problem: { code: 'conflict', detail: 'another has to judge what you wrote' } };
  const removal = action === 'remove_message' ? await orderRemoval(tx, request, named.message_id, note) : null;
  // Deleted meanwhile is as good as removed.
  if (removal && 'problem' in removal && removal.problem.code !== 'conflict') return removal;
  await settle(tx, request, named.message_id, { action, note }, id);
  const report = await findReport(tx, id);
  if (!report) throw new Error('the report vanished under its lock');
  return { ok: { report, removal: removal && 'ok' in removal ? removal.ok : null } };
}

/**
 * Orders that a message be removed (`orderRemoval`), by which its open reports are judged, too: they are resolved as if one of them had led there. Not where who moderates removes what they
 * wrote themselves: as with a message that its author deleted, another judges it.
 */
export async function removeMessage(tx: Transaction, request: ModerationRequest, messageId: string, reason: string): Promise<Outcome<OrderedRemoval>> {
  const ordered = await orderRemoval(tx, request, messageId, reason);
  if ('ok' in ordered) await settle(tx, request, messageId, { action: 'remove_message', note: reason });
  return ordered;
}

/** All open reports of a message, whose lock is held. The audit log has it under the one that was judged, or the first. */
async function settle(tx: Transaction, { actorId, credentialId, now }: ModerationRequest, messageId: string, { action, note }: ResolveReportBody, judged?: string): Promise<void> {
  const settled = await tx.execute<{ id: string; author_id: string }>(sql`
    UPDATE message_reports SET resolved_at = ${now.toISOString()}::timestamptz, resolved_by = ${actorId}, action = ${action}, note = ${note}, snapshot = NULL
    WHERE message_id = ${messageId} AND resolved_at IS NULL AND author_id <> ${actorId} RETURNING id, author_id`);
  const reports = settled.map(({ id }) => id).toSorted();
  const [first] = settled;
  const target = judged ?? reports[0];
  if (first === undefined || target === undefined) return;
  const details = { action, note, message_id: messageId, author_id: first.author_id, count: reports.length, reports: reports.slice(0, MOST_NAMED) };
  await recordAct(tx, { act: 'report.resolved', target: ['report', target], details }, { actorId, credentialId });
}

async function findReport(tx: Transaction, id: string): Promise<Report | null> {
  const [row] = await tx.execute<Row<Report>>(sql`SELECT ${reportColumns} FROM ${reportTables} WHERE r.id = ${id}`);
  return row ? { ...row } : null;
}

/** Whoever is redacted is redacted in reports, too. */
export async function forgetReported(tx: Transaction, authorId: string): Promise<void> {
  await tx.execute(sql`UPDATE message_reports SET snapshot = NULL WHERE author_id = ${authorId} AND snapshot IS NOT NULL`);
}
