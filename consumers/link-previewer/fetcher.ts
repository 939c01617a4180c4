import { randomUUID } from 'node:crypto';
import type { Sql } from '../../db/client.ts';
import { claimPage, type PageJob, returnPage, settlePage } from '../../db/queries/link-previews.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import type { Look } from './look-up.ts';
import { afterLook, isLost } from './outcome.ts';

export interface FetcherPorts {
  readonly sql: Sql;
  /** Takes less than the lease. */
  readonly lookUp: (url: string, signal: AbortSignal) => Promise<Look>;
  /** Of a page, and its site: whoever dies with it leaves it to others after so long. Milliseconds. */
  readonly leaseMs: number;
  /** For so long a site is left alone after each page, in milliseconds. */
  readonly gapMs: number;
  readonly random: () => number;
  /** Told of every page that was asked for; `seconds` is what it took. */
  readonly onLooked: (look: Look, seconds: number) => void;
  readonly onError: (error: unknown) => void;
}

const IDLE = { first: 200, most: 1_000 };
const FAILURE = { first: 500, most: 10_000 };

/**
 * Asks for the pages that the group has noted, `atOnce` at a time. Any number of processes may: each page is leased to one, and with it its site, so that a site is asked for one page
 * after another by all of them together.
 *
 *   claim (lease of page and site) → look → settle { page, site } in one transaction
 *
 * A death at any arrow leaves the lease to run out, and the page is asked for again.
 */
export function createFetcher(ports: FetcherPorts, atOnce: number): Service {
  const ending = new AbortController();
  const pollers = Array.from({ length: atOnce }, () => new Poller({ name: 'link-pages', idle: IDLE, failure: FAILURE, onError: ports.onError, step: () => lookNext(ports, ending.signal) }));
  return {
    name: 'link-pages',
    run: async () => {
      await Promise.all(pollers.map((poller) => poller.run()));
    },
    drain: async () => {
      // Nobody waits for a page: it is given back.
      ending.abort();
      await Promise.all(pollers.map((poller) => poller.drain()));
    },
    stop: async () => {
      ending.abort();
      await Promise.all(pollers.map((poller) => poller.stop()));
    },
  };
}

async function lookNext({ sql, lookUp, leaseMs, gapMs, random, onLooked }: FetcherPorts, ending: AbortSignal): Promise<boolean> {
  if (ending.aborted) return false;
  const job = await claimPage(sql, randomUUID(), leaseMs);
  if (job === null) return false;
  const begun = performance.now();
  const look = await lookAt(job, lookUp, ending);
  if (ending.aborted && look.kind === 'failed') {
    await sql.begin((tx) => returnPage(tx, job));
    return false;
  }
  await sql.begin((tx) => settlePage(tx, job, afterLook(job, look, random), gapMs));
  onLooked(look, (performance.now() - begun) / 1_000);
  return true;
}

const lookAt = async (job: PageJob, lookUp: FetcherPorts['lookUp'], ending: AbortSignal): Promise<Look> =>
  isLost(job) ? { kind: 'failed', reason: 'timeout' } : lookUp(job.url, ending);
