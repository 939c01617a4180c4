import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Database } from '../../db/client.ts';
import { isReader } from '../../db/queries/access.ts';
import { findPosAt } from '../../db/queries/message-places.ts';
import { findMessage, findPos, readSpan, type Listing, type MessageSpan, type Span } from '../../db/queries/messages.ts';
import { messagePageSchema, messageSchema, type MessagePage } from '../../protocol/api.ts';
import { idSchema, momentSchema } from '../../protocol/primitives.ts';
import { apiRoute, channelParams, json, messageParams, nearHeader } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { cursorSchema, decodeCounter, encodeCursor, limitSchema, linkHeader } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { ProblemError, unwrap } from '../problems.ts';
import { readNear } from '../replica/read-near.ts';
import type { Services } from '../services.ts';

const READ = { scope: 'messages:read', limit: 'read' } as const;
const exclusive = { message: 'before, after, around and at exclude each other', path: ['before'] };
const given = (...values: unknown[]): number => values.filter((value) => value !== undefined).length;

const threadQuery = z.object({
  before: cursorSchema.openapi({ description: 'The before_cursor of a page: the one that ends before it begins' }),
  after: cursorSchema.openapi({ description: 'The after_cursor of a page: the one that begins behind its end' }),
  limit: limitSchema,
});
/** `around` is a message's id, or its `pos`. `at`: the page begins with the first message that is of that time or later. */
const historyQuery = threadQuery.extend({
  around: z.union([idSchema, z.string().regex(/^\d{1,15}$/)], 'must be a message id or a pos').optional().openapi({ description: 'The id or the pos of a message, which the page is to have in its middle' }),
  at: momentSchema.optional().openapi({ description: 'A time: the page begins with the first message that is of then or later' }),
});

const history = apiRoute(READ, '/v1/channels/{id}/messages', {
  method: 'get',
  summary: 'A page of history in rising pos; the newest where no place is given. With at it begins with the first message of that time or later',
  request: { headers: nearHeader, params: channelParams, query: historyQuery.refine(({ before, after, around, at }) => given(before, after, around, at) <= 1, exclusive) },
  responses: { 200: json(messagePageSchema, 'The page, and the event it is as of') },
});

const replies = apiRoute(READ, '/v1/channels/{id}/messages/{message_id}/replies', {
  method: 'get',
  summary: 'A page of a thread in rising tpos; the newest where no place is given',
  request: { headers: nearHeader, params: messageParams, query: threadQuery.refine(({ before, after }) => given(before, after) <= 1, exclusive) },
  responses: { 200: json(messagePageSchema, 'The page, and the event it is as of') },
});

const read = apiRoute(READ, '/v1/channels/{id}/messages/{message_id}', {
  method: 'get',
  summary: 'One message',
  request: { params: messageParams },
  responses: { 200: json(messageSchema, 'The message') },
});

const older = (below: number | null, count: number): Span => ({ below, older: count, from: 0, newer: 0 });
const newer = (from: number, count: number): Span => ({ below: 0, older: 0, from, newer: count });
const around = (counter: number, count: number): Span => ({ below: counter, older: Math.floor(count / 2), from: counter, newer: Math.ceil(count / 2) });

interface Place {
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

const listName = ({ channelId, threadId }: Listing): string => (threadId === null ? `history ${channelId}` : `thread ${threadId}`);

function spanOf(listing: Listing, { before, after, limit }: Place): Span {
  if (before !== undefined) return older(decodeCounter(listName(listing), before), limit);
  if (after !== undefined) return newer(decodeCounter(listName(listing), after) + 1, limit);
  return older(null, limit);
}

/**
 * The counter that a snapshot has to reach for a page of this span: what another snapshot gave a cursor for is there, and so is what follows it. In an older one
 * the page would have a hole, or be the end, to somebody who reads page after page.
 */
const reachOf = ({ below, older, from, newer }: Span): number => Math.max(older > 0 && below !== null ? below - 1 : 0, newer > 0 ? from : 0);

/**
 * Counters run without gaps from 1, so the ends of a page tell whether there is more. A page that begins with `from`, and beyond the last message, has all of them
 * before it.
 */
function pageOf(listing: Listing, span: MessageSpan, from?: number): MessagePage {
  const counters = span.messages.map(({ pos, tpos }) => tpos ?? pos ?? 0);
  const [first, last] = [counters[0], counters.at(-1)];
  const cursor = (counter: number) => encodeCursor(listName(listing), counter);
  const beyond = first === undefined && from === span.last + 1 && span.last > 0;
  return {
    data: span.messages,
    epoch: span.epoch,
    as_of_seq: span.as_of_seq,
    before_cursor: first !== undefined && first > 1 ? cursor(first) : beyond ? cursor(span.last + 1) : null,
    after_cursor: last !== undefined && last < span.last ? cursor(last) : null,
    users: span.users,
  };
}

async function answerPage(c: Context<AppEnv>, listing: Listing, find: () => Promise<Found>): Promise<MessagePage> {
  const { from, ...span } = await find();
  const page = pageOf(listing, span, from);
  const link = linkHeader(c.req.url, [
    { rel: 'prev', parameter: 'before', cursor: page.before_cursor },
    { rel: 'next', parameter: 'after', cursor: page.after_cursor },
  ]);
  c.header('Link', link);
  return page;
}

export function historyRoutes({ replica }: Pick<Services, 'replica'>): App {
  const app = new OpenAPIHono<AppEnv>();

  /** Members may read all of the history, so a page of before is theirs as long as they are members after it was read. */
  const near = (c: Context<AppEnv>, { channelId }: Listing, { read, reach }: Reading): Promise<Found> =>
    readNear(c, replica, {
      read: (db) => read(db, credentialOf(c)),
      confirm: async (primary, { last }) => last >= reach && (await isReader(primary, credentialOf(c), channelId)),
    });

  app.openapi(history, async (c) => {
    const query = c.req.valid('query');
    const listing = { channelId: c.req.valid('param').id, threadId: null };
    const reading = readingOf(listing, query);
    return c.json(await answerPage(c, listing, () => near(c, listing, reading)), 200);
  });

  app.openapi(replies, async (c) => {
    const { id, message_id } = c.req.valid('param');
    const listing = { channelId: id, threadId: message_id };
    const span = spanOf(listing, c.req.valid('query'));
    return c.json(await answerPage(c, listing, () => near(c, listing, findThread(listing, span))), 200);
  });

  app.openapi(read, async (c) => {
    const { id, message_id } = c.req.valid('param');
    return c.json(unwrap(await withPostgres(c, (db) => findMessage(db, credentialOf(c), id, message_id))), 200);
  });

  return app;
}

const credentialOf = (c: Context<AppEnv>): string => c.get('identity').actor.credential_id;

/** `from`: where a page was asked to begin; its own first counter says it, where it has any. */
type Found = MessageSpan & { readonly from?: number };

interface Reading {
  readonly read: (db: Database, credentialId: string) => Promise<Found>;
  /** The counter up to which the snapshot must go. */
  readonly reach: number;
}

function readingOf(listing: Listing, { around: middle, at, ...place }: Place & { around?: string | undefined; at?: string | undefined }): Reading {
  if (middle !== undefined) return findAround(listing, middle, place.limit);
  return at === undefined ? find(listing, spanOf(listing, place)) : findAt(listing, at, place.limit);
}

/** A snapshot that is behind has its own first message of that time, as of then. */
function findAt(listing: Listing, at: string, limit: number): Reading {
  const read: Reading['read'] = async (db, credentialId) => {
    const from = await findPosAt(db, credentialId, listing.channelId, new Date(at));
    return { ...unwrap(await readSpan(db, credentialId, listing, newer(from, limit))), from };
  };
  return { read, reach: 0 };
}

function find(listing: Listing, span: Span): Reading {
  return { read: async (db, credentialId) => unwrap(await readSpan(db, credentialId, listing, span)), reach: reachOf(span) };
}

/** Membership is judged before a missing message is told of. */
function findAround(listing: Listing, place: string, limit: number): Reading {
  const given = /^\d+$/.test(place) ? Number(place) : null;
  const read: Reading['read'] = async (db, credentialId) => {
    const pos = given ?? (await findPos(db, listing.channelId, place));
    const found = unwrap(await readSpan(db, credentialId, listing, around(pos ?? 0, limit)));
    if (pos === null) throw new ProblemError({ code: 'not_found', detail: 'the channel has no such message' });
    return found;
  };
  return { read, reach: given ?? 0 };
}

function findThread(listing: Listing & { threadId: string }, span: Span): Reading {
  const read: Reading['read'] = async (db, credentialId) => {
    const root = unwrap(await findMessage(db, credentialId, listing.channelId, listing.threadId));
    if (root.thread_id !== null) throw new ProblemError({ code: 'not_found', detail: 'a reply has no thread of its own' });
    return unwrap(await readSpan(db, credentialId, listing, span));
  };
  return { read, reach: reachOf(span) };
}
