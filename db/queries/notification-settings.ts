import { eq, sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { Outcome } from '../../protocol/errors.ts';
import { phraseOf } from '../../protocol/keywords.ts';
import type { NotificationLevel, NotificationSettings, NotificationSettingsBody, QuietHours } from '../../protocol/notifications.ts';
import type { Queryable, Transaction } from '../client.ts';
import { notificationKeywords, notificationSettings } from '../schema/notification-tables.ts';
import { callerRow } from './access.ts';
import { appendDirectoryEvent } from './directory-events.ts';
import type { StoredQuietHours } from './notices.ts';

/** Who changes their settings: `expected` is the version they know. */
export interface SettingsRequest {
  readonly credentialId: string;
  readonly userId: string;
  readonly expected: number;
  readonly now: Date;
  readonly traceparent: string | null;
}

type Row = StoredQuietHours & { level: NotificationLevel | null; version: number | null; keywords: string[] | null; [column: string]: unknown };

/** The caller's own; where they never made any, the defaults. */
export async function findNotificationSettings(db: Queryable, credentialId: string): Promise<Outcome<NotificationSettings>> {
  const [row] = await db.execute<Row>(sql`
    SELECT g.level, g.version, g.quiet_start, g.quiet_end, g.quiet_zone, g.quiet_weekdays,
      (SELECT jsonb_agg(k.keyword ORDER BY k.place) FROM notification_keywords k WHERE k.user_id = me.id) AS keywords
    FROM (${callerRow(credentialId)}) me LEFT JOIN notification_settings g ON g.user_id = me.id`);
  if (row === undefined) return { problem: { code: 'unauthenticated' } };
  const { level, version, keywords } = row;
  return { ok: { level: level ?? 'mentions', keywords: keywords ?? [], quiet_hours: quietHoursOf(row), version: version ?? 0 } };
}

function quietHoursOf({ quiet_start: start_minute, quiet_end: end_minute, quiet_zone: time_zone, quiet_weekdays: days }: StoredQuietHours): QuietHours | null {
  if (start_minute === null || end_minute === null || time_zone === null || days === null) return null;
  return { start_minute, end_minute, time_zone, weekdays: [1, 2, 3, 4, 5, 6, 7].filter((day) => (days & (1 << (day - 1))) !== 0) };
}

/** Changes what the body names. `precondition_failed`: the settings have another version. */
export async function changeNotificationSettings(tx: Transaction, request: SettingsRequest, body: NotificationSettingsBody): Promise<Outcome<NotificationSettings>> {
  await lockSettingsOf(tx, request.userId);
  const found = await findNotificationSettings(tx, request.credentialId);
  if ('problem' in found) return found;
  if (found.ok.version !== request.expected) return { problem: { code: 'precondition_failed' } };
  const { level = found.ok.level, keywords, quiet_hours = found.ok.quiet_hours } = body;
  const version = found.ok.version + 1;
  const row = { level, ...storedQuietHours(quiet_hours), version };
  await tx.insert(notificationSettings).values({ user_id: request.userId, ...row }).onConflictDoUpdate({ target: notificationSettings.user_id, set: row });
  if (keywords !== undefined) await replaceKeywords(tx, request.userId, keywords);
  if (level !== found.ok.level) await appendLevel(tx, request, { channel_id: null, level, version });
  return findNotificationSettings(tx, request.credentialId);
}

/** Changes of one user's settings, of all kinds, come one after the other. */
export async function lockSettingsOf(tx: Transaction, userId: string): Promise<void> {
  await tx.execute(sql`SELECT u.id FROM users u WHERE u.id = ${userId} FOR NO KEY UPDATE`);
}

/** Mentions are counted by the level, so whoever counts them has to know. */
export async function appendLevel(
  tx: Transaction,
  { userId, now, traceparent }: SettingsRequest,
  change: { readonly channel_id: string | null; readonly level: NotificationLevel | null; readonly version: number },
): Promise<void> {
  const event = { type: 'notification_level.updated' as const, id: uuidv7(), at: now.toISOString(), actor_id: userId, user_id: userId, ...change };
  await appendDirectoryEvent(tx, event, traceparent);
}

function storedQuietHours(quiet: QuietHours | null): StoredQuietHours {
  if (quiet === null) return { quiet_start: null, quiet_end: null, quiet_zone: null, quiet_weekdays: null };
  const quiet_weekdays = quiet.weekdays.reduce((bits, day) => bits | (1 << (day - 1)), 0);
  return { quiet_start: quiet.start_minute, quiet_end: quiet.end_minute, quiet_zone: quiet.time_zone, quiet_weekdays };
}

/** Of two that are found by the same words the first is kept. */
async function replaceKeywords(tx: Transaction, user_id: string, keywords: readonly string[]): Promise<void> {
  await tx.delete(notificationKeywords).where(eq(notificationKeywords.user_id, user_id));
  const rows = keywords.flatMap((keyword, place) => {
    const phrase = phraseOf(keyword);
    return phrase === null ? [] : [{ phrase, user_id, place, keyword }];
  });
  if (rows.length > 0) await tx.insert(notificationKeywords).values(rows).onConflictDoNothing();
}
