import { timeout, TimeoutStrategy } from 'cockatiel';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { LinkBacklog } from '../../db/queries/link-previews.ts';
import type { Look } from './look-up.ts';

const patience = timeout(3_000, TimeoutStrategy.Aggressive);

export interface PreviewMetrics {
  looked(look: Look, seconds: number): void;
  told(): void;
}

/** What the previewer shows, in the fleet's registry. What cannot be asked for in time is left out of that scrape. */
export function previewMetrics(registry: Registry, askBacklog: () => Promise<LinkBacklog>): PreviewMetrics {
  const registers = [registry];
  const looks = new Counter({ name: 'colink_link_pages_total', help: 'Pages asked for, by what came of it', labelNames: ['outcome', 'reason'], registers });
  const seconds = new Histogram({ name: 'colink_link_page_seconds', help: 'Time that a page took, redirects included', buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5], registers });
  const told = new Counter({ name: 'colink_link_previews_told_total', help: 'Messages of whose previews a room was told', registers });
  let shared: Promise<LinkBacklog> | null = null;
  const ask = (): Promise<LinkBacklog> => (shared ??= patience.execute(askBacklog).finally(() => (shared = null)));
  for (const [name, help, valueOf] of BACKLOG) {
    const gauge: Gauge = new Gauge({
      name, help, registers,
      collect: async () => {
        gauge.reset();
        const backlog = await ask().catch(() => null);
        if (backlog !== null) gauge.set(valueOf(backlog));
      },
    });
  }
  return {
    looked: (look, took) => {
      looks.inc({ outcome: look.kind, reason: look.kind === 'found' ? '' : look.reason });
      seconds.observe(took);
    },
    told: () => told.inc(),
  };
}

const BACKLOG: readonly (readonly [string, string, (backlog: LinkBacklog) => number])[] = [
  ['colink_link_pages_waiting', 'Pages that are to be asked for', ({ waiting }) => waiting],
  ['colink_link_page_oldest_waiting_seconds', 'Age of the page that waits longest', ({ oldestSeconds }) => oldestSeconds],
];
