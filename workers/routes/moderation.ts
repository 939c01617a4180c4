import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import type { OrderedRemoval } from '../../db/queries/removals.ts';
import { listReports, removeMessage, reportMessage, resolveReport, viewReport } from '../../db/queries/reports.ts';
import {
  ownReportSchema, removedMessageSchema, removeMessageBodySchema, type Report, reportBodySchema, reportDetailSchema, reportPageSchema, reportSchema, resolveReportBodySchema,
} from '../../protocol/moderation.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { apiRoute, json, jsonBody, keyHeader, messageParams, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeId, encodeCursor, limitSchema } from '../paging.ts';
import { inTransaction, withPostgres } from '../postgres.ts';
import { ProblemError, unwrap } from '../problems.ts';
import { callRoom } from '../room.ts';
import { traceparentOf } from '../traceparent.ts';

const MODERATING = { scope: 'admin', limit: 'send' } as const;
const id = (n: number): string => `01990000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const ownExample = { id: id(7), message_id: id(8), reason: 'spam' as const, comment: 'the third time today', status: 'open' as const, created_at: '2026-11-26T12:00:00.000Z' };
const reportExample: Report = {
  ...ownExample, channel_id: id(9), channel_kind: 'private', message_deleted: false, author_id: id(1), reporter_id: id(2), resolved_at: null, resolved_by: null, action: null, note: null,
};

const remove = apiRoute(MODERATING, '/v1/admin/messages/{message_id}/remove', {
  method: 'post',
  summary: 'Remove a message, wherever it is, for administrators and moderators. It is gone when this returns; with 503 it is ordered, and will be gone. Its open reports are resolved by it',
  request: { headers: keyHeader, params: z.object({ message_id: idSchema }), ...jsonBody(removeMessageBodySchema, { reason: 'advertising' }) },
  responses: { 200: json(removedMessageSchema, 'Removed', { message_id: id(8), channel_id: id(9) }), 409: problemAnswer('conflict') },
});

const report = apiRoute({ scope: 'messages:write', limit: 'send' }, '/v1/channels/{id}/messages/{message_id}/reports', {
  method: 'post',
  summary: 'Report a message to those who moderate, once. They see it as it is now, wherever it is',
  request: { headers: keyHeader, params: messageParams, ...jsonBody(reportBodySchema, { reason: 'spam', comment: ownExample.comment }) },
  responses: { 200: json(ownReportSchema, 'The caller has reported it before', ownExample), 201: json(ownReportSchema, 'The report', ownExample), 409: problemAnswer('conflict') },
});

const list = apiRoute({ scope: 'admin', limit: 'read' }, '/v1/admin/reports', {
  method: 'get',
  summary: 'Reported messages, for administrators and moderators: open ones, the oldest first, or resolved ones, the newest first',
  request: { query: z.object({ status: z.enum(['open', 'resolved']).default('open'), limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(reportPageSchema, 'A page of reports, without what was reported', { data: [reportExample], next_cursor: null }) },
});

const view = apiRoute({ scope: 'admin', limit: 'read' }, '/v1/admin/reports/{id}', {
  method: 'get',
  summary: 'One report, with the message as it was reported, for administrators and moderators. That they looked is audited',
  request: { params: z.object({ id: idSchema }) },
  responses: { 200: json(reportDetailSchema, 'The report', { ...reportExample, text: 'Buy now!' }) },
});

const resolve = apiRoute(MODERATING, '/v1/admin/reports/{id}/resolve', {
  method: 'post',
  summary: 'Judge a reported message, for administrators and moderators: all open reports of it are resolved. With `remove_message`, `note` is the reason',
  request: { headers: keyHeader, params: z.object({ id: idSchema }), ...jsonBody(resolveReportBodySchema, { action: 'remove_message', note: 'advertising' }) },
  responses: {
    200: json(reportSchema, 'The report', { ...reportExample, status: 'resolved', resolved_at: '2026-11-26T13:00:00.000Z', resolved_by: id(3), action: 'remove_message', note: 'advertising' }),
    409: problemAnswer('conflict'),
  },
});

export function moderationRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(remove, async (c) => {
    const { message_id } = c.req.valid('param');
    const request = requestOf(c);
    const { body } = await writeDirectory(c, { body: removedMessageSchema.extend({ moderator_id: idSchema }), statuses: [200] }, async (tx, now) =>
      answered(200, await removeMessage(tx, { ...request, now }, message_id, c.req.valid('json').reason)),
    );
    await removeNow(c, body);
    return c.json({ message_id: body.message_id, channel_id: body.channel_id }, 200);
  });

  app.openapi(report, async (c) => {
    const { id: channelId, message_id: messageId } = c.req.valid('param');
    const { credential_id: credentialId, user_id: reporterId } = c.get('identity').actor;
    const request = { ...c.req.valid('json'), id: uuidv7(), credentialId, reporterId, channelId, messageId };
    const answer = await writeDirectory(c, { body: ownReportSchema, statuses: [200, 201] }, async (tx, now) => {
      const reported = await reportMessage(tx, { ...request, now });
      return 'problem' in reported ? reported : { ok: { status: reported.ok.made ? 201 : 200, body: reported.ok.report } };
    });
    return c.json(answer.body, answer.status);
  });

  app.openapi(list, async (c) => {
    const { status, limit, cursor } = c.req.valid('query');
    const name = `reports ${status}`;
    const after = cursor === undefined ? null : decodeId(name, cursor);
    const found = unwrap(await withPostgres(c, (db) => listReports(db, c.get('identity').actor.credential_id, status, { after, limit: limit + 1 })));
    return c.json(listingOf(c, found, limit, ({ id }) => encodeCursor(name, id)), 200);
  });

  app.openapi(view, async (c) => {
    const viewed = await inTransaction(c, async (tx) => unwrap(await viewReport(tx, c.get('identity').actor.credential_id, c.req.valid('param').id)));
    return c.json(viewed, 200);
  });

  app.openapi(resolve, async (c) => {
    const request = requestOf(c);
    let removal: OrderedRemoval | null = null;
    const { body } = await writeDirectory(c, { body: reportSchema, statuses: [200] }, async (tx, now) => {
      const resolved = await resolveReport(tx, { ...request, now }, c.req.valid('param').id, c.req.valid('json'));
      if ('problem' in resolved) return resolved;
      ({ removal } = resolved.ok);
      return { ok: { status: 200 as const, body: resolved.ok.report } };
    });
    // A repetition of the request has none: the fleet tells the room of it.
    if (removal !== null) await removeNow(c, removal);
    return c.json(body, 200);
  });

  return app;
}

function requestOf(c: Context<AppEnv>) {
  const { credential_id: credentialId, user_id: actorId } = c.get('identity').actor;
  return { credentialId, actorId, eventId: uuidv7(), traceparent: traceparentOf(c.req.raw.headers) };
}

/** Has the room do what is ordered. Where it cannot be told, the fleet tells it from the outbox, until it has done it. */
async function removeNow(c: Context<AppEnv>, { channel_id, message_id, moderator_id }: OrderedRemoval): Promise<void> {
  try {
    unwrap(await callRoom(c.env, channel_id, (room) => room.removeMessages(channel_id, [{ message_id, actor_id: moderator_id }])));
  } catch (error) {
    console.warn(JSON.stringify({ level: 'warn', request_id: c.get('requestId'), event: 'removal_not_told', channel_id, message_id, error: String(error) }));
    throw new ProblemError({ code: 'unavailable', detail: 'the removal is ordered, but the channel could not be told: it will be, soon' });
  }
}
