import { z } from 'zod';
import { noticeReasonSchema } from './notifications.ts';
import { idSchema, timeSchema } from './primitives.ts';

/** Web Push: what a browser says of itself (`/v1/me/push-subscriptions`), and what it is sent (RFC 8030, 8291 and 8292). */

/** Most subscriptions of one user. One more: 409 `limit_reached`. */
export const MAX_PUSH_SUBSCRIPTIONS = 10;
/** Longest endpoint, in ASCII characters, also as the URL parser writes it. */
export const MAX_ENDPOINT = 1_024;
/** Most of a message's text, and of its author's name, that is sent: UTF-16 code units. With all else it stays below the 3,993 bytes that a push may hold. */
export const MAX_PUSH_TEXT = 300;
export const MAX_PUSH_AUTHOR = 80;

/** As `PushSubscription.toJSON()` of the browser says it. `p256dh`: a point of P-256, uncompressed; `auth`: 16 bytes; both in base64url. */
export const pushSubscriptionBodySchema = z
  .strictObject({
    endpoint: z.string().max(MAX_ENDPOINT).regex(/^[Hh][Tt][Tt][Pp][Ss]?:\/\/[\x21-\x7e]+$/, 'must be an absolute URL of https, in visible ASCII characters'),
    keys: z.strictObject({
      p256dh: z.string().regex(/^B[A-Za-z0-9_-]{86}=?$/, 'must be 65 bytes in base64url'),
      auth: z.string().regex(/^[A-Za-z0-9_-]{22}(==)?$/, 'must be 16 bytes in base64url'),
    }),
  })
  .meta({
    id: 'NewPushSubscription',
    example: {
      endpoint: 'https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV',
      keys: { p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4', auth: 'BTBZMqHH6r4Tts7J_aSIgg' },
    },
  });
export type NewPushSubscription = z.infer<typeof pushSubscriptionBodySchema>;

/** A browser that is told of notices. Its endpoint is in no answer: who knows it can send there. */
export const pushSubscriptionSchema = z
  .strictObject({
    id: idSchema,
    /** Of the endpoint. */
    host: z.string(),
    /** The caller's credential has made it. It ends with the one that did. */
    current: z.boolean(),
    created_at: timeSchema,
  })
  .meta({ id: 'PushSubscription', example: { id: '019abcde-0000-7000-8000-0000000000a1', host: 'push.example.net', current: true, created_at: '2026-11-27T10:00:00.000Z' } });
export type PushSubscriptionInfo = z.infer<typeof pushSubscriptionSchema>;

/** `public_key`: by which a browser lets this server send to it (VAPID, base64url). Null: this server sends no pushes. */
export const pushSubscriptionListSchema = z
  .strictObject({ data: z.array(pushSubscriptionSchema), public_key: z.string().nullable() })
  .meta({
    id: 'PushSubscriptionList',
    example: {
      data: [{ id: '019abcde-0000-7000-8000-0000000000a1', host: 'push.example.net', current: true, created_at: '2026-11-27T10:00:00.000Z' }],
      public_key: 'BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs',
    },
  });
export type PushSubscriptionList = z.infer<typeof pushSubscriptionListSchema>;

/** What a browser finds in a push: of the message no more than the list of notifications shows its user, cut. Fields may be added; none goes away. */
export const pushPayloadSchema = z.strictObject({
  /** Of the notification: who is sent it twice shows it once. */
  id: idSchema,
  reason: noticeReasonSchema,
  channel_id: idSchema,
  /** Null: a direct channel. */
  channel_name: z.string().nullable(),
  message_id: idSchema,
  thread_id: idSchema.nullable(),
  author: z.string(),
  /** Empty where a message has files alone. */
  text: z.string(),
  created_at: timeSchema,
});
export type PushPayload = z.infer<typeof pushPayloadSchema>;
