import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { editLetter, showLetter } from '../../db/dead-letters/edit.ts';
import { recordsOf, summaryOf } from '../../db/dead-letters/view.ts';
import { type ActBy, countSelected, discardLetters, previewRedrive, redriveLetters, type RedrivePlace } from '../../db/queries/dead-letter-acts.ts';
import { listDeadLetters, readWholeLetters, tallyDeadLetters } from '../../db/queries/dead-letter-reads.ts';
import type { Selection } from '../../db/queries/dead-letter-selection.ts';
import {
  deadLetterDetailSchema, deadLetterFilterSchema, type DeadLetterFilter, deadLetterPageSchema, deadLetterSchema, deadLetterStatsSchema, discardBodySchema, discardResultSchema,
  letterEditBodySchema, redriveBodySchema, redriveResultSchema,
} from '../../protocol/dead-letters.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { asAdmin, isAdmin } from '../admin.ts';
import { apiRoute, json, jsonBody, keyHeader, problemAnswer } from '../api-route.ts';
import { writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { linkNext, listingOf } from '../listing.ts';
import { cursorSchema, decodeCounter, decodeCursor, encodeCursor, limitOf, limitSchema } from '../paging.ts';
import { expectedVersion, requiredMatch } from '../preconditions.ts';
import { ProblemError, unwrap } from '../problems.ts';

const PATH = '/v1/admin/dead-letters';
const [LIST, EXPORT, REDRIVE] = ['dead-letters', 'dead-letter-export', 'dead-letter-redrive'];
/** Letters of an export's page: each may hold a megabyte, and an isolate has 128. */
const MAX_EXPORT = 10;
const MAX_TALLIES = 1_000;

const letterParams = z.object({ id: idSchema });
const page = deadLetterFilterSchema.extend({ limit: limitSchema, cursor: cursorSchema });

const list = apiRoute({ scope: 'admin', limit: 'read' }, PATH, {
  method: 'get',
  summary: 'Dead letters, for administrators: the newest first, without their records',
  request: { query: page },
  responses: { 200: json(deadLetterPageSchema, 'A page of dead letters') },
});

const read = apiRoute({ scope: 'admin', limit: 'read' }, `${PATH}/{id}`, {
  method: 'get',
  summary: 'One dead letter: its record as it came and as it would be redriven, and what was done to it',
  request: { params: letterParams },
  responses: { 200: json(deadLetterDetailSchema, 'The dead letter, with its version as ETag') },
});

const stats = apiRoute({ scope: 'admin', limit: 'read' }, '/v1/admin/dead-letter-stats', {
  method: 'get',
  summary: 'How many dead letters there are, by group, topic, kind of error and status, and how old',
  request: { query: deadLetterFilterSchema },
  responses: { 200: json(deadLetterStatsSchema, 'The counts, the most first') },
});

const exportPage = apiRoute({ scope: 'admin', limit: 'read' }, '/v1/admin/dead-letter-export', {
  method: 'get',
  summary: 'Dead letters with their records, one JSON document a line, in the order in which they came; `Link` leads to the next page',
  request: { query: page.extend({ limit: limitOf(MAX_EXPORT, MAX_EXPORT) }) },
  responses: { 200: { content: { 'application/jsonl': { schema: z.string() } }, description: 'A page of the export; without `Link` it is the last' } },
});

const conditional = requiredMatch(String.raw`\d{1,9}`, 'The ETag of the letter that was looked at');

const edit = apiRoute({ scope: 'admin', limit: 'send' }, `${PATH}/{id}`, {
  method: 'patch',
  summary: 'Edit what a redrive of a pending dead letter hands over. What came stays as it is',
  request: { headers: conditional, params: letterParams, ...jsonBody(letterEditBodySchema) },
  responses: {
    200: json(deadLetterSchema, 'The dead letter without its records, with its version as ETag'),
    409: problemAnswer('conflict'),
    412: problemAnswer('precondition_failed'),
    428: problemAnswer('precondition_required'),
  },
});

const redrive = apiRoute({ scope: 'admin', limit: 'send' }, '/v1/admin/dead-letter-redrives', {
  method: 'post',
  summary: 'Hand pending dead letters to their groups again, at most `limit` a call, the oldest of the log first. The letters tell what became of it: redriven, or pending again',
  request: { headers: keyHeader, ...jsonBody(redriveBodySchema) },
  responses: { 200: json(redriveResultSchema, 'Which were handed over, or would be'), 409: problemAnswer('conflict') },
});

const discard = apiRoute({ scope: 'admin', limit: 'send' }, '/v1/admin/dead-letter-discards', {
  method: 'post',
  summary: 'Give pending dead letters up for good, at most `limit` a call',
  request: { headers: keyHeader, ...jsonBody(discardBodySchema) },
  responses: { 200: json(discardResultSchema, 'Which were discarded'), 409: problemAnswer('conflict') },
});

const etag = ({ version }: { version: number }): string => `"${version}"`;

export function deadLetterRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => {
    const { limit, cursor, ...filter } = c.req.valid('query');
    const below = cursor === undefined ? null : decodeCounter(LIST, cursor);
    const found = await asAdmin(c, (db) => listDeadLetters(db, filter, below, limit + 1));
    const { data, next_cursor } = listingOf(c, found, limit, ({ number }) => encodeCursor(LIST, number));
    return c.json({ data: data.map(summaryOf), next_cursor }, 200);
  });

  app.openapi(read, async (c) => {
    const letter = await asAdmin(c, (db) => db.transaction((tx) => showLetter(tx, c.req.valid('param').id)));
    if (letter === null) throw new ProblemError({ code: 'not_found' });
    return c.json(letter, 200, { ETag: etag(letter) });
  });

  app.openapi(stats, async (c) => c.json({ data: await asAdmin(c, (db) => tallyDeadLetters(db, c.req.valid('query'), MAX_TALLIES)) }, 200));

  app.openapi(exportPage, async (c) => {
    const { limit, cursor, ...filter } = c.req.valid('query');
    const { lines, next } = await readExport(c, filter, cursor, limit);
    linkNext(c, next);
    return c.body(lines, 200, { 'Content-Type': 'application/jsonl' });
  });

  app.openapi(edit, async (c) => {
    const { reason, ...change } = c.req.valid('json');
    const request = { id: c.req.valid('param').id, edit: change, by: byOf(c, reason), version: expectedVersion(c.req.valid('header')) };
    const answer = await writeDirectory(c, { body: deadLetterSchema, statuses: [200] }, async (tx) => {
      unwrap(await isAdmin(c, tx));
      const { record: _record, redrives: _redrives, faults: _faults, acts: _acts, ...body } = unwrap(await editLetter(tx, request));
      return { ok: { status: 200, body } };
    });
    return c.json(answer.body, 200, { ETag: etag(answer.body) });
  });

  app.openapi(redrive, async (c) => {
    const { dry_run, cursor, limit, reason, ...body } = c.req.valid('json');
    const selection = selectionOf(body);
    const request = { selection, after: cursor === null ? null : decodePlace(cursor), limit };
    const answer = await writeDirectory(c, { body: redriveResultSchema, statuses: [200] }, async (tx) => {
      unwrap(await isAdmin(c, tx));
      const { ids, last } = dry_run ? await previewRedrive(tx, request) : await redriveLetters(tx, request, byOf(c, reason));
      const { pending: remaining, unfit } = await countSelected(tx, selection);
      const next_cursor = last === null || ids.length < limit ? null : encodeCursor(REDRIVE, last);
      return { ok: { status: 200, body: { ids: [...ids], remaining, unfit, next_cursor } } };
    });
    return c.json(answer.body, 200);
  });

  app.openapi(discard, async (c) => {
    const { limit, reason, ...body } = c.req.valid('json');
    const selection = selectionOf(body);
    const answer = await writeDirectory(c, { body: discardResultSchema, statuses: [200] }, async (tx) => {
      unwrap(await isAdmin(c, tx));
      const ids = await discardLetters(tx, selection, limit, byOf(c, reason));
      return { ok: { status: 200, body: { ids, remaining: (await countSelected(tx, selection)).pending } } };
    });
    return c.json(answer.body, 200);
  });

  return app;
}

const byOf = (c: Context<AppEnv>, reason: string | null): ActBy => ({ actor: `user:${c.get('identity').actor.user_id}`, reason });

const selectionOf = ({ ids, filter }: { ids?: readonly string[] | undefined; filter?: DeadLetterFilter | undefined }): Selection => (ids === undefined ? { filter: filter ?? {} } : { ids });

async function readExport(c: Context<AppEnv>, filter: DeadLetterFilter, cursor: string | undefined, limit: number): Promise<{ lines: string; next: string | null }> {
  const above = cursor === undefined ? 0 : decodeCounter(EXPORT, cursor);
  const letters = await asAdmin(c, (db) => readWholeLetters(db, filter, above, limit));
  const last = letters.length === limit ? letters.at(-1) : undefined;
  const lines = letters.map((letter) => `${JSON.stringify({ number: letter.number, ...recordsOf(letter) })}\n`).join('');
  return { lines, next: last ? encodeCursor(EXPORT, last.number) : null };
}

const placeSchema = z.templateLiteral([z.number(), ':', z.number()]);

function decodePlace(cursor: string): RedrivePlace {
  const place = placeSchema.safeParse(decodeCursor(REDRIVE, cursor));
  if (!place.success || !/^\d{1,16}:\d{1,18}$/.test(place.data)) throw new ProblemError({ code: 'bad_cursor' });
  return place.data;
}
