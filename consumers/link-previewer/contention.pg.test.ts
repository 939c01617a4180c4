import { randomUUID } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { integer, pick, seededRandom } from '../../client/testing/random.ts';
import { claimPage, noteLinks, type PageSettlement, purgePages, returnPage, settlePage } from '../../db/queries/link-previews.ts';
import { PreviewBed } from '../../tests/support/preview-bed.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { hashOf, siteOf } from './links.ts';

const RUN_MS = 4_000;
/** Of each kind, however busy the machine. */
const ENOUGH = 100;
const BOUNDS = { perAuthor: 1_000_000, perSite: 500, all: 20_000 };
const SETTLED: readonly PageSettlement[] = [
  { state: 'none', failure: 'status', keepMs: 0 },
  { state: 'found', preview: { title: 'T', description: null, site_name: null }, keepMs: 5 },
  { state: 'waiting', attempts: 1, failure: 'timeout', retryInMs: 0 },
];

let bed: PreviewBed;
beforeEach(async () => {
  bed = await PreviewBed.start();
});
afterEach(() => bed.close());

const seed = seedOfRun();

it(`batches, claims, outcomes and purges of few pages at once wait for one another without a circle, and leave no page without its site (seed ${seed})`, async () => {
  const { sql } = bed;
  const random = seededRandom(seed);
  const until = Date.now() + RUN_MS;
  const failures: unknown[] = [];
  const counts = { noted: 0, claimed: 0 };
  async function repeat(work: () => Promise<unknown>): Promise<void> {
    while (Date.now() < until || Math.min(counts.noted, counts.claimed) <= ENOUGH) await work().catch((error: unknown) => failures.push(error));
  }

  const url = () => `http://host${integer(random, 4)}.site${integer(random, 6)}.com/${integer(random, 20)}`;
  async function note(): Promise<void> {
    const urls = [...new Set([url(), url(), url()])];
    const pages = urls.map((one) => ({ hash: hashOf(one), url: one, site: siteOf(new URL(one)) }));
    await sql.begin((tx) => noteLinks(tx, [{ message_id: uuidv7(), channel_id: bed.channel, author_id: bed.author, revision: 1, urls }], pages, BOUNDS));
    counts.noted += 1;
  }
  async function ask(): Promise<void> {
    const job = await claimPage(sql, randomUUID(), 5_000);
    if (job === null) return;
    counts.claimed += 1;
    if (random() < 0.2) await sql.begin((tx) => returnPage(tx, job));
    else await sql.begin((tx) => settlePage(tx, job, pick(random, SETTLED), 0));
  }
  async function purge(): Promise<void> {
    await sql`UPDATE link_sites s SET next_at = s.next_at - interval '2 hours' FROM (SELECT o.site FROM link_sites o ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED) old WHERE s.site = old.site`;
    await purgePages(sql, 10);
  }

  await Promise.all([note, note, note, ask, ask, ask, purge].map(repeat));
  expect(failures).toEqual([]);
  expect(Math.min(counts.noted, counts.claimed)).toBeGreaterThan(ENOUGH);
  expect(await sql`SELECT p.site FROM link_pages p WHERE p.state = 'waiting' AND NOT EXISTS (SELECT FROM link_sites s WHERE s.site = p.site)`).toHaveLength(0);
});

it('a site that has been idle is not purged while a page of it is on its way in', async () => {
  const { sql } = bed;
  const url = 'http://host.site.com/';
  const note = { pages: [{ hash: hashOf(url), url, site: 'site.com' }], message: { message_id: uuidv7(), channel_id: bed.channel, author_id: bed.author, revision: 1, urls: [url] } };
  await sql`INSERT INTO link_sites (site, next_at) VALUES ('site.com', now() - interval '2 hours'), ('idle.com', now() - interval '2 hours')`;
  await sql.begin(async (tx) => {
    await noteLinks(tx, [note.message], note.pages, BOUNDS);
    await purgePages(sql, 10);
  });
  expect(await sql`SELECT s.site FROM link_sites s`).toEqual([{ site: 'site.com' }]);
  expect(await claimPage(sql, randomUUID(), 5_000)).toMatchObject({ url });
});
