import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Sql } from '../../db/client.ts';
import { countPages, purgePages } from '../../db/queries/link-previews.ts';
import type { FleetConfig } from '../config.ts';
import { resolveByDns } from '../outbound/addresses.ts';
import { workerAnnouncer } from '../room-announcer/rooms.ts';
import { failureFields } from '../runtime/classify.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import { createFetcher } from './fetcher.ts';
import { SiteGate } from './gate.ts';
import type { LinkRules } from './links.ts';
import { lookUp, type LookOptions } from './look-up.ts';
import { previewMetrics } from './metrics.ts';
import { createTeller } from './teller.ts';

/** Pages that a process asks for at a time; and of them those of one site, redirects included. */
const AT_ONCE = 4;
const OF_SITE = 2;
/** Longest that a page may take, redirects and content included. */
const TIMEOUT_MS = 5_000;
/** Longer than that, with what is stored before and after it. */
const LEASE_MS = 20_000;
/** Between two pages of a site, by all processes. */
const GAP_MS = 1_000;
const HOUR_MS = 3_600_000;
const PURGE_BATCH = 5_000;

type PreviewConfig = Pick<FleetConfig, 'linkPreviews' | 'publicUrl' | 'worker'>;

/** Which links are looked up; null: none. */
export function linkRulesOf({ linkPreviews, publicUrl }: Pick<PreviewConfig, 'linkPreviews' | 'publicUrl'>): LinkRules | null {
  if (linkPreviews === 'off') return null;
  return { loopback: linkPreviews === 'loopback', ownHost: publicUrl === null ? null : new URL(publicUrl).host };
}

export interface PreviewParts {
  readonly config: PreviewConfig;
  readonly sql: Sql;
  readonly log: Logger;
  readonly registry: Registry;
}

/** Asks for the pages that the group `link-previewer` has noted, tells rooms of them, and forgets what is old. Nothing of an address is logged: it may be a secret. */
export function previewServices({ config, sql, log, registry }: PreviewParts): Service[] {
  const rules = linkRulesOf(config);
  if (rules === null || config.worker === null) return [];
  const metrics = previewMetrics(registry, () => countPages(sql));
  const gate = new SiteGate(OF_SITE);
  const options: LookOptions = { ...rules, resolve: resolveByDns(), timeoutMs: TIMEOUT_MS, enter: (url) => gate.enter(url) };
  return [
    createFetcher({
      sql, leaseMs: LEASE_MS, gapMs: GAP_MS, random: Math.random, onLooked: metrics.looked,
      lookUp: (url, signal) => lookUp(url, options, signal),
      onError: (error) => log.warn(failureFields(error), 'pages wait'),
    }, AT_ONCE),
    createTeller({ sql, announcer: workerAnnouncer(config.worker, Date.now), onTold: metrics.told, onError: (error) => log.warn(failureFields(error), 'previews wait') }),
    new Poller({
      name: 'link-purge',
      idle: { first: HOUR_MS, most: HOUR_MS },
      failure: { first: 10_000, most: HOUR_MS },
      onError: (error) => log.warn(failureFields(error), 'old pages stay'),
      step: () => purgePages(sql, PURGE_BATCH),
    }),
  ];
}
