import { z } from 'zod';
import { phraseOf } from './keywords.ts';
import { MAX_KEYWORD, MAX_KEYWORD_WORDS, MAX_KEYWORDS } from './limits.ts';
import { counterSchema, idSchema, momentSchema, storableString, timeSchema } from './primitives.ts';

/** Why a message is meant for somebody. More may come: who does not know one still knows that it is. */
export const noticeReasonSchema = z.enum(['direct', 'mention', 'keyword', 'thread_reply', 'channel_mention', 'all']);
export type NoticeReason = z.infer<typeof noticeReasonSchema>;

/** `all`: every message; `mentions`: what is for the user; `none`: nothing at all. */
export const notificationLevelSchema = z.enum(['all', 'mentions', 'none']);
export type NotificationLevel = z.infer<typeof notificationLevelSchema>;

const minuteSchema = z.int().min(0).max(1_439);
/** A zone by its name: an offset is none, for it knows no summer time. */
export const timeZoneSchema = z
  .string()
  .max(64)
  .refine((name) => /^[A-Za-z]/.test(name) && isTimeZone(name), 'must be an IANA time zone, such as Europe/Berlin');

function isTimeZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}

/**
 * Minutes of the local day; from `start_minute` on, before `end_minute`, of the next day where that is not later; the same twice is a whole day.
 * `weekdays`: on which it begins, 1 is Monday.
 */
export const quietHoursSchema = z
  .strictObject({
    start_minute: minuteSchema,
    end_minute: minuteSchema,
    time_zone: timeZoneSchema,
    weekdays: z.array(z.int().min(1).max(7)).min(1).max(7).refine((days) => new Set(days).size === days.length, 'must name each day once').meta({ uniqueItems: true }),
  })
  .meta({ id: 'QuietHours' });
export type QuietHours = z.infer<typeof quietHoursSchema>;

const keywordSchema = storableString(MAX_KEYWORD).refine((keyword) => phraseOf(keyword) !== null, `must have 1 to ${MAX_KEYWORD_WORDS} words`);

const settings = {
  level: notificationLevelSchema,
  /** Words and phrases, found whole, whatever their case. */
  keywords: z.array(keywordSchema).max(MAX_KEYWORDS),
  quiet_hours: quietHoursSchema.nullable(),
};
const EXAMPLE = {
  level: 'mentions' as const,
  keywords: ['difference engine', 'Straße'],
  quiet_hours: { start_minute: 1_320, end_minute: 420, time_zone: 'Europe/Berlin', weekdays: [1, 2, 3, 4, 5] },
};

/** What the caller is notified of where a channel says nothing else. `version` rises with each change, 0 before the first; it is the `ETag`. */
export const notificationSettingsSchema = z
  .strictObject({ ...settings, version: z.int().min(0) })
  .meta({ id: 'NotificationSettings', example: { ...EXAMPLE, version: 3 } });
export type NotificationSettings = z.infer<typeof notificationSettingsSchema>;
const isNotEmpty = (body: object): boolean => Object.keys(body).length > 0;
/** What is absent stays as it is. */
export const notificationSettingsBodySchema = z
  .strictObject(settings)
  .partial()
  .refine(isNotEmpty, 'must change something')
  .meta({ id: 'NotificationSettingsChange', minProperties: 1, example: EXAMPLE });
export type NotificationSettingsBody = z.infer<typeof notificationSettingsBodySchema>;

/** The same of one channel. `level` null: as everywhere. `muted_until` null where it is muted: until it is taken back. */
export const channelNotificationSettingsSchema = z
  .strictObject({ level: notificationLevelSchema.nullable(), muted: z.boolean(), muted_until: timeSchema.nullable(), version: z.int().min(0) })
  .meta({ id: 'ChannelNotificationSettings', example: { level: null, muted: true, muted_until: '2026-11-27T08:00:00.000Z', version: 1 } });
export type ChannelNotificationSettings = z.infer<typeof channelNotificationSettingsSchema>;
export const channelNotificationSettingsBodySchema = z
  .strictObject({ level: notificationLevelSchema.nullable(), muted: z.boolean(), muted_until: momentSchema.nullable() })
  .partial()
  .refine(isNotEmpty, 'must change something')
  .refine(({ muted, muted_until }) => muted_until === undefined || muted === true, { message: 'needs muted: true', path: ['muted_until'] })
  .meta({ id: 'ChannelNotificationSettingsChange', minProperties: 1, dependentRequired: { muted_until: ['muted'] }, example: { muted: true, muted_until: '2026-11-27T08:00:00.000Z' } });
export type ChannelNotificationSettingsBody = z.infer<typeof channelNotificationSettingsBodySchema>;

/**
 * A notice of the caller's inbox; `seq` is that of its event there. `text` is the message's now, empty once it is deleted. `quiet`: it came in quiet
 * hours, so nobody was to be interrupted. `read`: it was marked as read, or the channel was read up to its message.
 */
export const notificationSchema = z
  .strictObject({
    id: idSchema,
    seq: counterSchema,
    reason: noticeReasonSchema,
    channel_id: idSchema,
    message_id: idSchema,
    author_id: idSchema,
    pos: counterSchema.nullable(),
    thread_id: idSchema.nullable(),
    text: z.string(),
    quiet: z.boolean(),
    read: z.boolean(),
    created_at: timeSchema,
  })
  .meta({
    id: 'Notification',
    example: {
      id: '019abcde-0000-7000-8000-000000000003', seq: 17, reason: 'mention', channel_id: '019abcde-0000-7000-8000-0000000000c1', message_id: '019abcde-0000-7000-8000-0000000000e1',
      author_id: '019abcde-0000-7000-8000-00000000000b', pos: 14, thread_id: null, text: 'what do you think, @ada?', quiet: false, read: false, created_at: '2026-11-26T10:00:00.000Z',
    },
  });
export type Notification = z.infer<typeof notificationSchema>;
