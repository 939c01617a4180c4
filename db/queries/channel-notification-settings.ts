import { sql } from 'drizzle-orm';
import type { Outcome } from '../../protocol/errors.ts';
import type { ChannelNotificationSettings, ChannelNotificationSettingsBody, NotificationLevel } from '../../protocol/notifications.ts';
import type { Queryable, Transaction } from '../client.ts';
import { refuseReader, standingColumns, standingTables, type Standing } from './access.ts';
import { appendLevel, lockSettingsOf, type SettingsRequest } from './notification-settings.ts';
import { wireTime } from './time.ts';

type Row = Standing & { level: NotificationLevel | null; version: number | null; muted: boolean | null; muted_until: string | null; [column: string]: unknown };

/** The caller's own of a channel of which they are a member. A time that has come mutes nothing any more. */
export async function findChannelNotificationSettings(db: Queryable, credentialId: string, channelId: string): Promise<Outcome<ChannelNotificationSettings>> {
  const [row] = await db.execute<Row>(sql`
    SELECT ${standingColumns}, k.level, k.version, k.muted_until > now() AS muted,
      CASE WHEN isfinite(k.muted_until) AND k.muted_until > now() THEN ${wireTime(sql`k.muted_until`)} END AS muted_until
    FROM ${standingTables(credentialId, channelId)} LEFT JOIN channel_notification_settings k ON k.channel_id = ch.id AND k.user_id = me.id`);
  const problem = refuseReader(row);
  if (problem || !row) return { problem: problem ?? { code: 'not_found' } };
  return { ok: { level: row.level, muted: row.muted ?? false, muted_until: row.muted_until, version: row.version ?? 0 } };
}

export interface ChannelSettingsRequest extends SettingsRequest {
  readonly channelId: string;
}

/** Changes what the body names. `precondition_failed`: the settings have another version. */
export async function changeChannelNotificationSettings(
  tx: Transaction,
  request: ChannelSettingsRequest,
  body: ChannelNotificationSettingsBody,
): Promise<Outcome<ChannelNotificationSettings>> {
  const { credentialId, channelId, userId, expected } = request;
  await lockSettingsOf(tx, userId);
  const found = await findChannelNotificationSettings(tx, credentialId, channelId);
  if ('problem' in found) return found;
  if (found.ok.version !== expected) return { problem: { code: 'precondition_failed' } };
  const { level = found.ok.level } = body;
  const mutedUntil = mutedUntilOf({ ...found.ok, ...body });
  const version = found.ok.version + 1;
  await tx.execute(sql`
    INSERT INTO channel_notification_settings AS k (channel_id, user_id, level, muted_until, version)
    VALUES (${channelId}, ${userId}, ${level}, ${mutedUntil}::timestamptz, ${version})
    ON CONFLICT (channel_id, user_id) DO UPDATE SET level = excluded.level, muted_until = excluded.muted_until, version = excluded.version`);
  if (level !== found.ok.level) await appendLevel(tx, request, { channel_id: channelId, level, version });
  return findChannelNotificationSettings(tx, credentialId, channelId);
}

const mutedUntilOf = ({ muted, muted_until }: Pick<ChannelNotificationSettingsBody, 'muted' | 'muted_until'>): string | null => (muted ? (muted_until ?? 'infinity') : null);
