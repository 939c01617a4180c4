import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import { encodeText } from '../../db/bytes.ts';
import { type Export, readExport, startExport } from '../../db/queries/export.ts';
import { EXPORT_SECTIONS, type ExportPlace, exportPlaceSchema, NO_COUNTS, NO_EXPORT_HASH } from '../../protocol/export.ts';
import { apiRoute, problemAnswer } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { decodeCursor, encodeCursor } from '../paging.ts';
import { inTransaction, withPostgres } from '../postgres.ts';
import { ProblemError, unwrap } from '../problems.ts';

const LIST = 'export';
/** Rows of a page: messages of 30 KB each fit into an isolate beside each other. Pages of an answer. */
const PAGE_ROWS = 200;
const MOST_PAGES = 500;

const query = z
  .strictObject({
    include: z.literal('private').optional().openapi({ description: 'Private and direct channels, too. That they were asked for is audited' }),
    after: z.string().max(1_000).optional().openapi({ description: 'The cursor of the last checkpoint: goes on behind it' }),
  })
  .refine(({ include, after }) => include === undefined || after === undefined, { message: 'goes with the first request alone', path: ['include'] });

const exportAll = apiRoute({ scope: 'admin', limit: 'read' }, '/v1/admin/export', {
  method: 'get',
  summary: 'Everything, for administrators: one JSON document a line. An answer ends with the line `end`, or early; then the last `checkpoint` line has the cursor to go on with',
  request: { query },
  responses: { 200: { content: { 'application/jsonl': { schema: z.string() } }, description: 'A part of the export' }, 400: problemAnswer('bad_cursor'), 409: problemAnswer('conflict') },
});

export function exportRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(exportAll, async (c) => {
    const { include, after } = c.req.valid('query');
    const begun = after === undefined ? await begin(c, include === 'private') : null;
    const place = after === undefined ? null : decodePlace(after);
    // Read before the answer begins: what is refused is refused as a problem.
    const first = await nextPage(c, place ?? placeOf(begun), begun === null ? '' : headOf(begun));
    return c.body(stream(c, first), 200, { 'Content-Type': 'application/jsonl' });
  });

  return app;
}

function begin(c: Context<AppEnv>, includePrivate: boolean): Promise<Export> {
  const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
  return inTransaction(c, async (tx) => unwrap(await startExport(tx, { id: uuidv7(), credentialId, userId, includePrivate, now: new Date() })));
}

function placeOf(begun: Export | null): ExportPlace {
  if (begun === null) throw new ProblemError({ code: 'bad_cursor' });
  return { export_id: begun.id, section: 0, after: '', counts: NO_COUNTS, sha256: NO_EXPORT_HASH };
}

const headOf = ({ id: export_id, started_at, include_private }: Export): string => lineOf({ section: 'export', format: 'colink.export.v1', export_id, started_at, include_private });

const lineOf = (line: object): string => `${JSON.stringify(line)}\n`;

interface Page {
  readonly text: string;
  /** Null: that was all. */
  readonly next: ExportPlace | null;
}

/** A page with what ends it. `head` stands before the first. */
async function nextPage(c: Context<AppEnv>, { export_id: exportId, section, after, counts, sha256 }: ExportPlace, head = ''): Promise<Page> {
  const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
  const name = EXPORT_SECTIONS[section] ?? 'channel';
  const found = unwrap(await withPostgres(c, (db) => readExport(db, { credentialId, userId }, { exportId, section: name, after }, PAGE_ROWS)));
  const lines = head + found.data.map((data) => `{"section":"${name}","data":${data}}\n`).join('');
  const so_far = { counts: { ...counts, [name]: counts[name] + found.data.length }, sha256: await chained(sha256, lines) };
  const isOver = found.after === null && section === EXPORT_SECTIONS.length - 1;
  if (isOver) return { text: lines + lineOf({ section: 'end', ...so_far }), next: null };
  const next = { export_id: exportId, ...(found.after === null ? { section: section + 1, after: '' } : { section, after: found.after }), ...so_far };
  return { text: lines + lineOf({ section: 'checkpoint', cursor: encodeCursor(LIST, JSON.stringify(next)), ...so_far }), next };
}

async function chained(before: string, lines: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', encodeText(before + lines)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A page is read when the one before it has gone out, so that one is in memory at a time (G8). What fails breaks the answer off; the last checkpoint is where to go on. */
function stream(c: Context<AppEnv>, first: Page): ReadableStream<Uint8Array> {
  let page: Page | null = first;
  let pages = 0;
  return new ReadableStream({
    async pull(controller) {
      if (page === null) return controller.close();
      controller.enqueue(encodeText(page.text));
      pages += 1;
      page = page.next === null || pages >= MOST_PAGES ? null : await nextPage(c, page.next);
    },
  }, { highWaterMark: 0 });
}

function decodePlace(cursor: string): ExportPlace {
  const text = decodeCursor(LIST, cursor);
  try {
    return exportPlaceSchema.parse(JSON.parse(text));
  } catch {
    throw new ProblemError({ code: 'bad_cursor' });
  }
}
