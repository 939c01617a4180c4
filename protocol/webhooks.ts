import { z } from 'zod';
import { idSchema, storableString, timeSchema, webUrlSchema } from './primitives.ts';

/** Outgoing webhooks: what their owners see of them (`/v1/webhooks`), and what endpoints get (Standard Webhooks 1.0). */

/** What a webhook may be told of. `webhook.test` comes only when it is asked for. */
export const webhookEventTypeSchema = z.enum([
  'message.created',
  'message.edited',
  'message.deleted',
  'reaction.added',
  'reaction.removed',
  'channel.created',
  'channel.updated',
  'channel.member_added',
  'channel.member_removed',
  'file.uploaded',
  'file.updated',
  'file.deleted',
]);
export type WebhookEventType = z.infer<typeof webhookEventTypeSchema>;
export const TEST_EVENT = 'webhook.test';

/** Most webhooks of one owner. One more: 409. */
export const MAX_WEBHOOKS = 20;
/** Most deliveries of one webhook that wait. With more it is disabled as `backlogged`. */
export const MAX_WAITING_DELIVERIES = 10_000;
/** Longest URL, in UTF-16 code units. */
const MAX_URL = 2_048;
const MAX_DESCRIPTION = 200;
/** How long the secret before the present one signs too, in hours. */
export const ROTATION_HOURS = 24;
/** How long deliveries are kept, and can be sent again. */
export const DELIVERY_DAYS = 30;

/** `owner`: they did it themselves; `owner_deactivated` came with what happened to them; the others are decided by deliveries. */
export const disabledReasonSchema = z.enum(['owner', 'gone', 'failing', 'backlogged', 'owner_deactivated']);
export type DisabledReason = z.infer<typeof disabledReasonSchema>;

const eventTypesSchema = z
  .array(webhookEventTypeSchema)
  .min(1)
  .refine((types) => new Set(types).size === types.length, 'must name each type once')
  .meta({ uniqueItems: true });

export const webhookSchema = z
  .strictObject({
    id: idSchema,
    /** Null: all channels of which the owner is a member at the time. */
    channel_id: idSchema.nullable(),
    url: z.string(),
    event_types: z.array(webhookEventTypeSchema),
    description: z.string(),
    state: z.enum(['enabled', 'disabled']),
    disabled_reason: disabledReasonSchema.nullable(),
    disabled_at: timeSchema.nullable(),
    /** Since when every delivery has failed; null: the last one did not. */
    failing_since: timeSchema.nullable(),
    /** Until then the secret before the present one signs, too. */
    previous_secret_until: timeSchema.nullable(),
    created_at: timeSchema,
    version: z.int(),
  })
  .meta({ id: 'Webhook' });
export type Webhook = z.infer<typeof webhookSchema>;

/** `secret`: `whsec_` and 32 bytes in base64. It is in no other answer. */
export const webhookWithSecretSchema = webhookSchema.extend({ secret: z.string() }).meta({ id: 'WebhookWithSecret' });
export type WebhookWithSecret = z.infer<typeof webhookWithSecretSchema>;
export const webhookPageSchema = z.strictObject({ data: z.array(webhookSchema), next_cursor: z.string().nullable() }).meta({ id: 'WebhookPage' });

const urlSchema = webUrlSchema(MAX_URL);
const descriptionSchema = z.union([z.literal(''), storableString(MAX_DESCRIPTION)]);
export const createWebhookBodySchema = z.strictObject({
  url: urlSchema,
  event_types: eventTypesSchema,
  channel_id: idSchema.nullable().default(null),
  description: descriptionSchema.default(''),
});
export type NewWebhook = z.infer<typeof createWebhookBodySchema>;
/** What is not named stays. */
export const webhookPatchSchema = z.strictObject({
  url: urlSchema.optional(),
  event_types: eventTypesSchema.optional(),
  description: descriptionSchema.optional(),
  state: z.enum(['enabled', 'disabled']).optional(),
});
export type WebhookPatch = z.infer<typeof webhookPatchSchema>;

export const deliveryStatusSchema = z.enum(['pending', 'delivered', 'failed', 'cancelled']);
/**
 *     pending ──2xx──▶ delivered
 *      │  ▲
 *      │  └── an attempt failed, and there is a next one
 *      ├──the last attempt failed──▶ failed
 *      └──there is nobody to send it for, or to──▶ cancelled
 *
 * A replay makes any of them pending again.
 */
export type DeliveryStatus = z.infer<typeof deliveryStatusSchema>;

/** Why an attempt failed, or why there was none; `deleted`: the message or file it is about. */
export const deliveryFailureSchema = z.enum([
  'dns',
  'forbidden_address',
  'tls',
  'connection',
  'timeout',
  'redirect',
  'status',
  'not_a_member',
  'owner_deactivated',
  'deleted',
  'disabled',
]);
export type DeliveryFailure = z.infer<typeof deliveryFailureSchema>;

export const deliverySchema = z
  .strictObject({
    /** The event's, and the `webhook-id` of every attempt. */
    id: idSchema,
    event_type: z.string(),
    channel_id: idSchema.nullable(),
    status: deliveryStatusSchema,
    attempts: z.int(),
    /** Not before this; null unless pending. */
    next_attempt_at: timeSchema.nullable(),
    /** Of the last attempt. */
    last_status: z.int().nullable(),
    last_latency_ms: z.int().nullable(),
    failure: deliveryFailureSchema.nullable(),
    created_at: timeSchema,
    settled_at: timeSchema.nullable(),
  })
  .meta({ id: 'WebhookDelivery' });
export type Delivery = z.infer<typeof deliverySchema>;
export const deliveryPageSchema = z.strictObject({ data: z.array(deliverySchema), next_cursor: z.string().nullable() }).meta({ id: 'WebhookDeliveryPage' });

/**
 * The body of a delivery. `data` is the event as sockets and topics have it, with its channel; `timestamp` is when it happened. Fields may be added; none goes away, and
 * none changes its meaning (`protocol/fixtures/webhook-payloads.v1.json`).
 */
export const webhookPayloadSchema = z
  .strictObject({
    type: z.union([webhookEventTypeSchema, z.literal(TEST_EVENT)]),
    timestamp: timeSchema,
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'WebhookPayload' });
export type WebhookPayload = z.infer<typeof webhookPayloadSchema>;
