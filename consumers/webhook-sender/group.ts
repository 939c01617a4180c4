import type postgres from 'postgres';
import { z } from 'zod';
import { groupStart } from '../../db/queries/consumer-offsets.ts';
import { disableWebhook, findBacklogged, hasWebhooks, insertDeliveries } from '../../db/queries/webhook-intake.ts';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { channelEventSchema } from '../../protocol/events.ts';
import { fileEventSchema } from '../../protocol/file-events.ts';
import { ceType } from '../../protocol/topics.ts';
import { MAX_WAITING_DELIVERIES, webhookEventTypeSchema } from '../../protocol/webhooks.ts';
import type { Consumed, ConsumerGroup } from '../runtime/group.ts';
import { rowOf, type WebhookEvent } from './payload.ts';

const ID = 'webhook-sender';
/** What happened so long before the group's first batch is still news: it may have waited for the group. Milliseconds. */
const NEWS_MS = 3_600_000;
/** The room that dates an event and the Worker that dates a webhook have not the same clock. Milliseconds. */
const SKEW_MS = 5_000;

const isTold = (event: { readonly type: string }): event is WebhookEvent => webhookEventTypeSchema.safeParse(event.type).success;
const schema = z.union([channelEventSchema, directoryEventSchema, fileEventSchema]).transform((event, context): WebhookEvent => {
  if (isTold(event)) return event;
  context.addIssue('is of a type this group does not read');
  return z.NEVER;
});

export interface IntakePorts {
  readonly now: () => Date;
  /** Told of each webhook that has more waiting than it may. */
  readonly onBacklogged: (webhookId: string) => void;
  /** Most that may wait. */
  readonly mostWaiting?: number;
}

/**
 * Notes in the batch's transaction what is to be sent to which webhook; a service of its own sends it (`sender.ts`), so that no endpoint holds up the group. An event that a
 * webhook has been noted for is not noted again, whatever is replayed (G2).
 */
export const webhookSender = (ports: IntakePorts): ConsumerGroup<WebhookEvent> => ({
  id: ID,
  topics: ['message.events', 'channel.events', 'file.events'],
  types: new Set(webhookEventTypeSchema.options.map((type) => ceType(type))),
  schema,
  apply: (tx, events) => take(tx, events, ports),
});

async function take(tx: postgres.TransactionSql, events: readonly Consumed<WebhookEvent>[], { now, onBacklogged, mostWaiting = MAX_WAITING_DELIVERIES }: IntakePorts): Promise<void> {
  const since = (await groupStart(tx, ID)) - NEWS_MS;
  // Most batches of most installations end here.
  if (!(await hasWebhooks(tx))) return;
  const rows = events.map(({ key, event }) => (Date.parse(event.at) < since ? null : rowOf(key, event))).filter((row) => row !== null);
  const told = await insertDeliveries(tx, rows, now(), SKEW_MS);
  for (const id of await findBacklogged(tx, told, mostWaiting)) {
    await disableWebhook(tx, id, 'backlogged', now());
    onBacklogged(id);
  }
}
