import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Transaction } from '../../db/client.ts';
import { changeScheduled, deleteScheduled, findScheduled, listScheduled, type ScheduleCaller, scheduleMessage, sendScheduledNow } from '../../db/queries/scheduled-messages.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { idSchema } from '../../protocol/primitives.ts';
import {
  scheduleBodySchema, type ScheduledMessage, scheduledMessagePageSchema, scheduledMessageSchema, schedulePatchSchema, scheduleStatusSchema,
} from '../../protocol/scheduled-messages.ts';
import { apiRoute, channelParams, json, jsonBody, keyHeader, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeTimed, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { etagOf, expectedVersion, settingsHeaders } from '../preconditions.ts';
import { unwrap } from '../problems.ts';

const PATH = '/v1/me/scheduled-messages';
const ONE = `${PATH}/{id}` as const;
const LIST = 'scheduled';

const reading = { scope: 'messages:read', limit: 'read' } as const;
const writing = { scope: 'messages:write', limit: 'send' } as const;
const params = z.object({ id: idSchema });

const example: ScheduledMessage = {
  id: '019ac0de-0000-7000-8000-00000000000a',
  channel_id: '019ac0de-0000-7000-8000-00000000000b',
  thread_id: null,
  text: 'Good morning!',
  file_ids: [],
  send_at: '2026-11-27T08:00:00.000Z',
  status: 'pending',
  failure: null,
  message_id: null,
  settled_at: null,
  created_at: '2026-11-26T17:30:00.000Z',
  version: 1,
};

const schedule = apiRoute(writing, '/v1/channels/{id}/scheduled-messages', {
  method: 'post',
  summary: 'Have a message sent later, once, in the name of the caller: 5 seconds to 120 days ahead. Whether they may send it is asked when it is sent',
  request: { headers: keyHeader, params: channelParams, ...jsonBody(scheduleBodySchema, { text: example.text, send_at: example.send_at }) },
  responses: { 201: json(scheduledMessageSchema, 'The scheduled message, with its version as ETag', example), 409: problemAnswer('conflict') },
});

const list = apiRoute(reading, PATH, {
  method: 'get',
  summary: 'The caller\'s scheduled messages in the order of their time: those that wait, and what became of those of the last 30 days',
  request: { query: z.object({ status: scheduleStatusSchema.optional(), channel_id: idSchema.optional(), limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(scheduledMessagePageSchema, 'A page of scheduled messages', { data: [example], next_cursor: null }) },
});

const read = apiRoute(reading, ONE, {
  method: 'get',
  summary: 'One scheduled message',
  request: { params },
  responses: { 200: json(scheduledMessageSchema, 'The scheduled message, with its version as ETag', example) },
});

const change = apiRoute(writing, ONE, {
  method: 'patch',
  summary: 'Change a message that waits: its text, its time, its files; what is absent stays',
  request: { headers: settingsHeaders, params, ...jsonBody(schedulePatchSchema, { send_at: '2026-11-27T09:00:00.000Z' }) },
  responses: {
    200: json(scheduledMessageSchema, 'The scheduled message, with its version as ETag', { ...example, send_at: '2026-11-27T09:00:00.000Z', version: 2 }),
    409: problemAnswer('conflict'), 412: problemAnswer('precondition_failed'), 428: problemAnswer('precondition_required'),
  },
});

const remove = apiRoute(writing, ONE, {
  method: 'delete',
  summary: 'Cancel a message that waits, or forget what became of one',
  request: { headers: keyHeader, params },
  responses: { 204: { description: 'It will not be sent, or has been settled before' }, 409: problemAnswer('conflict') },
});

const sendNow = apiRoute(writing, `${ONE}/send-now`, {
  method: 'post',
  summary: 'Have a message that waits sent at once',
  request: { headers: keyHeader, params },
  responses: { 202: json(scheduledMessageSchema, 'The scheduled message, which is due', { ...example, send_at: '2026-11-26T18:00:00.000Z', version: 2 }), 409: problemAnswer('conflict') },
});

export function scheduledMessageRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(schedule, async (c) => {
    const [{ id: channelId }, body] = [c.req.valid('param'), c.req.valid('json')];
    const made = await write(c, 201, (tx, caller) => scheduleMessage(tx, caller, channelId, body));
    return c.json(made, 201, { ETag: etagOf(made), Location: `${PATH}/${made.id}` });
  });

  app.openapi(list, async (c) => {
    const { limit, cursor, status = null, channel_id: channelId = null } = c.req.valid('query');
    const page = { status, channelId, after: cursor === undefined ? null : decodeTimed(LIST, cursor), limit: limit + 1 };
    const found = unwrap(await withPostgres(c, (db) => listScheduled(db, c.get('identity').actor.credential_id, page)));
    return c.json(listingOf(c, found, limit, (last) => encodeCursor(LIST, `${last.send_at} ${last.id}`)), 200);
  });

  app.openapi(read, async (c) => {
    const found = unwrap(await withPostgres(c, (db) => findScheduled(db, c.get('identity').actor.credential_id, c.req.valid('param').id)));
    return c.json(found, 200, { ETag: etagOf(found) });
  });

  app.openapi(change, async (c) => {
    const [{ id }, patch, expected] = [c.req.valid('param'), c.req.valid('json'), expectedVersion(c.req.valid('header'))];
    const changed = await write(c, 200, (tx, caller) => changeScheduled(tx, caller, id, patch, expected));
    return c.json(changed, 200, { ETag: etagOf(changed) });
  });

  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param');
    await writeDirectory(c, { body: z.null(), statuses: [204] }, async (tx, now) => answered(204, await deleteScheduled(tx, callerOf(c, now), id), () => null));
    return c.body(null, 204);
  });

  app.openapi(sendNow, async (c) => {
    const { id } = c.req.valid('param');
    const due = await write(c, 202, (tx, caller) => sendScheduledNow(tx, caller, id));
    return c.json(due, 202, { ETag: etagOf(due) });
  });

  return app;
}

function callerOf(c: Context<AppEnv>, now: Date): ScheduleCaller {
  const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
  return { credentialId, userId, now };
}

async function write(c: Context<AppEnv>, status: number, effect: (tx: Transaction, caller: ScheduleCaller) => Promise<Outcome<ScheduledMessage>>): Promise<ScheduledMessage> {
  const { body } = await writeDirectory(c, { body: scheduledMessageSchema, statuses: [status] }, async (tx, now) => {
    const scheduled = await effect(tx, callerOf(c, now));
    return 'problem' in scheduled ? scheduled : { ok: { status, body: scheduled.ok } };
  });
  return body;
}
