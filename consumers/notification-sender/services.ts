import type { Logger } from 'pino';
import type { Sql } from '../../db/client.ts';
import { purgePushes } from '../../db/queries/push-sending.ts';
import type { FleetConfig } from '../config.ts';
import type { FleetMetrics } from '../metrics.ts';
import { resolveByDns } from '../outbound/addresses.ts';
import { failureFields } from '../runtime/classify.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import { createDigestService } from './digest-service.ts';
import { createPushService } from './push-service.ts';
import { smtpSender, type SmtpSettings } from './smtp.ts';
import { type VapidKeys, webPushSender } from './web-push.ts';

export interface SenderParts {
  readonly config: Pick<FleetConfig, 'vapid' | 'smtp' | 'webhooksToLoopback'>;
  readonly sql: Sql;
  readonly log: Logger;
  readonly metrics: FleetMetrics;
}

/** Longest attempt, in milliseconds. */
const TIMEOUT_MS = 10_000;
const HOUR_MS = 3_600_000;
/** What was noted is remembered for longer than it may be told again, in milliseconds. */
const KEPT_MS = 48 * HOUR_MS;
const PURGE_BATCH = 10_000;

/** What sends the notices that the notifier has noted, where the configuration says by what, and what forgets old ones. */
export function notificationSenders(parts: SenderParts): Service[] {
  const log = parts.log.child({ service: 'notification-sender' });
  const { vapid, smtp } = parts.config;
  return [...(vapid === null ? [] : [pushService({ ...parts, log }, vapid)]), ...(smtp === null ? [] : [digestService({ ...parts, log }, smtp)]), purgeService(parts.sql, log)];
}

const pushService = ({ config, sql, log, metrics }: SenderParts, vapid: VapidKeys): Service =>
  createPushService({
    sql,
    sender: webPushSender({ vapid, resolve: resolveByDns(), loopback: config.webhooksToLoopback, timeoutMs: TIMEOUT_MS, now: Date.now }),
    now: Date.now,
    random: Math.random,
    onSettled: (outcome, { id: subscription, host }, cause) => {
      metrics.notificationSent('push', outcome);
      if (outcome === 'refused') log.warn({ subscription, host, cause }, 'a push was refused');
    },
    onEnded: (why) => metrics.pushSubscriptionEnded(why),
    onError: (error) => log.warn(failureFields(error), 'pushes wait'),
  });

const digestService = ({ sql, log, metrics }: SenderParts, smtp: SmtpSettings): Service =>
  createDigestService({
    sql,
    sender: smtpSender(smtp),
    now: Date.now,
    random: Math.random,
    onSettled: (outcome, user, cause) => {
      metrics.notificationSent('email', outcome);
      if (outcome === 'refused') log.warn({ user, cause }, 'a digest was refused');
    },
    onError: (error) => log.warn(failureFields(error), 'digests wait'),
  });

function purgeService(sql: Sql, log: Logger): Service {
  return new Poller({
    name: 'push-purge',
    idle: { first: HOUR_MS, most: HOUR_MS },
    failure: { first: 10_000, most: HOUR_MS },
    onError: (error) => log.warn(failureFields(error), 'old pushes stay'),
    step: () => purgePushes(sql, new Date(Date.now() - KEPT_MS), PURGE_BATCH),
  });
}
