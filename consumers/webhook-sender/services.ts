import type { Logger } from 'pino';
import type { Sql } from '../../db/client.ts';
import { purgeWebhooks } from '../../db/queries/webhook-sending.ts';
import { DELIVERY_DAYS } from '../../protocol/webhooks.ts';
import type { FleetConfig } from '../config.ts';
import type { FleetMetrics } from '../metrics.ts';
import { failureFields } from '../runtime/classify.ts';
import type { ConsumerGroup } from '../runtime/group.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import { resolveByDns } from '../outbound/addresses.ts';
import { webhookSender } from './group.ts';
import type { WebhookEvent } from './payload.ts';
import { post, type PostOptions } from './post.ts';
import { createSender } from './sender.ts';

export interface WebhookParts {
  readonly config: Pick<FleetConfig, 'webhooksToLoopback'>;
  readonly sql: Sql;
  readonly log: Logger;
  readonly metrics: FleetMetrics;
}

/** Longest attempt, in milliseconds. */
const TIMEOUT_MS = 15_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PURGE_BATCH = 10_000;

/** `parts` null: where the group is only looked at. */
export const webhookGroup = (parts: Pick<WebhookParts, 'log' | 'metrics'> | null): ConsumerGroup<WebhookEvent> =>
  webhookSender({
    now: () => new Date(),
    onBacklogged: (webhook) => {
      parts?.log.warn({ webhook, reason: 'backlogged' }, 'a webhook is disabled');
      parts?.metrics.webhookDisabled('backlogged');
    },
  });

/** What sends the deliveries that the group has noted, and what forgets old ones. */
export function webhookServices({ config, sql, log: fleetLog, metrics }: WebhookParts): Service[] {
  const log = fleetLog.child({ service: 'webhook-sender' });
  const options: PostOptions = { resolve: resolveByDns(), loopback: config.webhooksToLoopback, timeoutMs: TIMEOUT_MS, now: Date.now };
  const sender = createSender({
    sql,
    post: (message, signal) => post(message, options, signal),
    now: () => new Date(),
    random: Math.random,
    onSettled: (outcome) => metrics.webhookDelivery(outcome),
    onDisabled: ({ webhook_id: webhook, owner_id: owner, host }, reason) => {
      log.warn({ webhook, owner, host, reason }, 'a webhook is disabled');
      metrics.webhookDisabled(reason);
    },
    onError: (error) => log.warn(failureFields(error), 'deliveries wait'),
  });
  return [sender, purgeService(sql, log)];
}

function purgeService(sql: Sql, log: Logger): Service {
  return new Poller({
    name: 'webhook-purge',
    idle: { first: HOUR_MS, most: HOUR_MS },
    failure: { first: 10_000, most: HOUR_MS },
    onError: (error) => log.warn(failureFields(error), 'old deliveries stay'),
    step: () => purgeWebhooks(sql, new Date(Date.now() - DELIVERY_DAYS * DAY_MS), PURGE_BATCH),
  });
}
