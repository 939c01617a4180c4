import type postgres from 'postgres';
import type { LinkPreview } from '../../protocol/previews.ts';

type AnySql = postgres.ISql;

/** A message with links, of which its room may have to be told. */
export interface LinkedMessage {
  readonly message_id: string;
  readonly channel_id: string;
  readonly author_id: string;
  readonly revision: number;
  readonly urls: readonly string[];
}

/** A page to be asked for. `hash`: SHA-256 of its URL, in hexadecimal digits. `site`: whose pages are asked for one after another. */
export interface LinkedPage {
  readonly hash: string;
  readonly url: string;
  readonly site: string;
}

export interface LinkBounds {
  /** Messages of one author that may wait, pages of one site, and pages in all. What is beyond that has no previews. */
  readonly perAuthor: number;
  readonly perSite: number;
  readonly all: number;
}

/** Nobody need look at what these messages link to any more: they are deleted, or say something else. */
export async function forgetLinks(tx: AnySql, messageIds: readonly string[]): Promise<void> {
  if (messageIds.length === 0) return;
  await tx`
    DELETE FROM link_messages l USING (
      SELECT o.message_id FROM link_messages o WHERE o.message_id IN (SELECT w.id::uuid FROM json_array_elements_text(${JSON.stringify(messageIds)}::text::json) AS w (id))
      ORDER BY o.message_id FOR UPDATE
    ) gone WHERE l.message_id = gone.message_id`;
}

/**
 * Every statement here that has both locks sites before pages.
 *
 * Notes messages, each once, as of its latest revision; and the pages that are not known or were asked for long ago. To be repeated at will.
 */
export async function noteLinks(tx: AnySql, messages: readonly LinkedMessage[], pages: readonly LinkedPage[], { perAuthor, perSite, all }: LinkBounds): Promise<void> {
  await tx`
    INSERT INTO link_messages AS l (message_id, channel_id, author_id, revision, urls)
    SELECT w.message_id, w.channel_id, w.author_id, w.revision, w.urls FROM (
      SELECT m.message_id, m.channel_id, m.author_id, m.revision, m.urls,
        row_number() OVER (PARTITION BY m.author_id) + (SELECT count(*) FROM link_messages o WHERE o.author_id = m.author_id) AS n
      FROM json_to_recordset(${JSON.stringify(messages)}::text::json) AS m (message_id uuid, channel_id uuid, author_id uuid, revision integer, urls text[])
    ) w WHERE w.n <= ${perAuthor} ORDER BY w.message_id
    ON CONFLICT (message_id) DO UPDATE SET revision = excluded.revision, urls = excluded.urls, noted_at = now(), due_at = now(), lease = NULL, told = 0
    WHERE l.revision < excluded.revision`;
  // The moment keeps a site from being purged for idle while a page of it is on its way in.
  await tx`
    INSERT INTO link_sites AS s (site) SELECT DISTINCT w.site FROM json_to_recordset(${JSON.stringify(pages)}::text::json) AS w (site text) ORDER BY w.site
    ON CONFLICT (site) DO UPDATE SET next_at = greatest(s.next_at, now())`;
  await tx`
    INSERT INTO link_pages AS p (url_hash, url, site)
    SELECT w.hash, w.url, w.site FROM (
      SELECT decode(m.hash, 'hex') AS hash, m.url, m.site, row_number() OVER () AS n,
        row_number() OVER (PARTITION BY m.site) + (SELECT count(*) FROM link_pages o WHERE o.site = m.site AND o.state = 'waiting') AS of_site
      FROM json_to_recordset(${JSON.stringify(pages)}::text::json) AS m (hash text, url text, site text)
    ) w WHERE w.of_site <= ${perSite} AND w.n + (SELECT count(*) FROM link_pages o WHERE o.state = 'waiting') <= ${all} ORDER BY w.hash
    ON CONFLICT (url_hash) DO UPDATE
      SET state = 'waiting', url = excluded.url, requested_at = now(), due_at = now(), attempts = 0, failure = NULL, preview = NULL, expires_at = NULL
    WHERE p.expires_at <= now()`;
}

/** A page that is to be asked for now, by whoever has its lease; and with it its site, which nobody else asks meanwhile. */
export interface PageJob {
  readonly hash: string;
  readonly url: string;
  readonly site: string;
  readonly lease: string;
  /** Failed tries so far; one whose process died counts among them. */
  readonly attempts: number;
  /** Since it was asked for, in milliseconds. */
  readonly ageMs: number;
}

/** Takes a page that is due, of a site that may be asked again, for `leaseMs` at most; null where there is none. Of a site the page comes first that has waited longest. */
export async function claimPage(sql: AnySql, lease: string, leaseMs: number): Promise<PageJob | null> {
  const [job] = await sql<PageJob[]>`
    WITH free AS MATERIALIZED (
      SELECT s.site FROM link_sites s
      WHERE s.next_at <= now() AND s.site IN (SELECT w.site FROM link_pages w WHERE w.state = 'waiting' AND w.due_at <= now())
      ORDER BY s.next_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ), due AS MATERIALIZED (
      SELECT w.url_hash, w.site FROM link_pages w JOIN free f ON f.site = w.site WHERE w.state = 'waiting' AND w.due_at <= now() ORDER BY w.due_at LIMIT 1
    ), held AS (
      UPDATE link_sites s SET next_at = now() + ${leaseMs}::float8 * interval '1 millisecond' FROM due d WHERE s.site = d.site
    )
    UPDATE link_pages p SET lease = ${lease}, due_at = now() + ${leaseMs}::float8 * interval '1 millisecond', attempts = p.attempts + (p.lease IS NOT NULL)::integer
    FROM due d WHERE p.url_hash = d.url_hash AND p.state = 'waiting'
    RETURNING encode(p.url_hash, 'hex') AS hash, p.url, p.site, p.lease, p.attempts, (extract(epoch FROM now() - p.requested_at) * 1000)::float8 AS "ageMs"`;
  return job ?? null;
}

/** What follows a try. `waiting`: it is tried again. `keepMs`: for how long what was found, or that there is nothing, is not asked for again. */
export type PageSettlement =
  | { readonly state: 'waiting'; readonly attempts: number; readonly failure: string; readonly retryInMs: number }
  | { readonly state: 'found'; readonly preview: Omit<LinkPreview, 'url'>; readonly keepMs: number }
  | { readonly state: 'none'; readonly failure: string; readonly keepMs: number };

type HeldPage = Pick<PageJob, 'hash' | 'lease' | 'site'>;

/** Lets a site be asked again in `inMs`. False, and nothing: the page is another's by now. */
async function freeSite(tx: AnySql, { hash, lease, site }: HeldPage, inMs: number): Promise<boolean> {
  const { count } = await tx`
    UPDATE link_sites s SET next_at = now() + ${inMs}::float8 * interval '1 millisecond'
    WHERE s.site = ${site} AND EXISTS (SELECT FROM link_pages p WHERE p.url_hash = decode(${hash}, 'hex') AND p.lease = ${lease})`;
  return count === 1;
}

/** Stores what became of a page, and lets its site be asked again after `gapMs`. False, and nothing: it is another's by now. */
export async function settlePage(tx: postgres.TransactionSql, page: HeldPage, settled: PageSettlement, gapMs: number): Promise<boolean> {
  if (!(await freeSite(tx, page, gapMs))) return false;
  const { hash, lease } = page;
  const { count } = settled.state === 'waiting'
    ? await tx`
      UPDATE link_pages p SET lease = NULL, attempts = ${settled.attempts}, failure = ${settled.failure}, due_at = now() + ${settled.retryInMs}::float8 * interval '1 millisecond'
      WHERE p.url_hash = decode(${hash}, 'hex') AND p.lease = ${lease}`
    : await tx`
      UPDATE link_pages p SET state = ${settled.state}, url = NULL, lease = NULL, failure = ${settled.state === 'none' ? settled.failure : null},
        preview = ${settled.state === 'found' ? JSON.stringify(settled.preview) : null}::text::jsonb, expires_at = now() + ${settled.keepMs}::float8 * interval '1 millisecond'
      WHERE p.url_hash = decode(${hash}, 'hex') AND p.lease = ${lease}`;
  return count === 1;
}

/** Gives a page back as it was taken, and its site. */
export async function returnPage(tx: postgres.TransactionSql, page: HeldPage): Promise<void> {
  if (!(await freeSite(tx, page, 0))) return;
  await tx`UPDATE link_pages p SET lease = NULL, due_at = now() WHERE p.url_hash = decode(${page.hash}, 'hex') AND p.lease = ${page.lease}`;
}

export interface MessageJob extends Omit<LinkedMessage, 'author_id'> {
  readonly lease: string;
  readonly told: number;
  /** Since it was noted, in milliseconds. */
  readonly ageMs: number;
}

/** Takes messages that are due, for `leaseMs` at most. */
export async function claimMessages(sql: AnySql, lease: string, leaseMs: number, most: number): Promise<MessageJob[]> {
  return sql<MessageJob[]>`
    UPDATE link_messages l SET lease = ${lease}, due_at = now() + ${leaseMs}::float8 * interval '1 millisecond'
    FROM (SELECT w.message_id FROM link_messages w WHERE w.due_at <= now() ORDER BY w.due_at LIMIT ${most} FOR UPDATE SKIP LOCKED) due
    WHERE l.message_id = due.message_id
    RETURNING l.message_id, l.channel_id, l.revision, to_json(l.urls) AS urls, l.lease, l.told, (extract(epoch FROM now() - l.noted_at) * 1000)::float8 AS "ageMs"`;
}

/** A page as far as it is known. `attempts` of one that waits: whether it was tried. */
export interface KnownPage {
  readonly hash: string;
  readonly state: 'waiting' | 'found' | 'none';
  readonly attempts: number;
  readonly preview: Omit<LinkPreview, 'url'> | null;
}

export async function findPages(sql: AnySql, hashes: readonly string[]): Promise<KnownPage[]> {
  return sql<KnownPage[]>`
    SELECT encode(p.url_hash, 'hex') AS hash, p.state, p.attempts, p.preview FROM link_pages p
    WHERE p.url_hash IN (SELECT decode(w.hash, 'hex') FROM json_array_elements_text(${JSON.stringify(hashes)}::text::json) AS w (hash))`;
}

type HeldMessage = Pick<MessageJob, 'message_id' | 'lease'>;

/** All that can be told of a message was, or there is nothing. */
export async function finishMessage(sql: AnySql, { message_id, lease }: HeldMessage): Promise<void> {
  await sql`DELETE FROM link_messages l WHERE l.message_id = ${message_id} AND l.lease = ${lease}`;
}

/** Has a message looked at again. Nothing where it is another's by now. */
export async function returnMessage(sql: AnySql, { message_id, lease }: HeldMessage, told: number, inMs: number): Promise<void> {
  await sql`
    UPDATE link_messages l SET lease = NULL, told = ${told}, due_at = now() + ${inMs}::float8 * interval '1 millisecond'
    WHERE l.message_id = ${message_id} AND l.lease = ${lease}`;
}

/** Forgets what is known of pages once it has expired, and sites that nothing waits for. At most `limit` pages; true: there may be more. */
export async function purgePages(sql: AnySql, limit: number): Promise<boolean> {
  const { count } = await sql`
    DELETE FROM link_pages p USING (SELECT o.url_hash FROM link_pages o WHERE o.state <> 'waiting' AND o.expires_at <= now() LIMIT ${limit} FOR UPDATE SKIP LOCKED) old
    WHERE p.url_hash = old.url_hash`;
  if (count === limit) return true;
  await sql`
    DELETE FROM link_sites s USING (
      SELECT o.site FROM link_sites o WHERE o.next_at < now() - interval '1 hour' AND NOT EXISTS (SELECT FROM link_pages p WHERE p.site = o.site AND p.state = 'waiting')
      LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ) idle WHERE s.site = idle.site`;
  return false;
}

export interface LinkBacklog {
  readonly waiting: number;
  /** Seconds that the page has waited that waits longest; 0: none does. */
  readonly oldestSeconds: number;
}

export async function countPages(sql: AnySql): Promise<LinkBacklog> {
  const [backlog] = await sql<[LinkBacklog]>`
    SELECT count(*)::integer AS waiting, coalesce(extract(epoch FROM now() - min(p.requested_at)), 0)::float8 AS "oldestSeconds" FROM link_pages p WHERE p.state = 'waiting'`;
  return backlog;
}
