import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Transaction } from '../../db/client.ts';
import { createWebhook, deleteWebhook, findWebhook, listWebhooks, rotateSecret, updateWebhook, type WebhookRequest } from '../../db/queries/webhooks.ts';
import { listDeliveries, replayDelivery, testWebhook } from '../../db/queries/webhook-log.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { idSchema } from '../../protocol/primitives.ts';
import {
  createWebhookBodySchema, type Delivery, deliveryPageSchema, deliverySchema, deliveryStatusSchema, webhookPageSchema, webhookPatchSchema, webhookSchema, webhookWithSecretSchema,
} from '../../protocol/webhooks.ts';
import { faultOfUrl } from '../webhook-url.ts';
import { apiRoute, json, jsonBody, keyHeader, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeCounter, decodeId, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { ProblemError, unwrap } from '../problems.ts';
import { deliveryExample, newWebhookExample, webhookExample, webhookSecretExample } from './webhook-examples.ts';
import { describeWebhookPayload } from './webhook-payload.ts';

const PATH = '/v1/webhooks';
const ONE = `${PATH}/{id}` as const;
const [LIST, LOG] = ['webhooks', 'webhook-deliveries'];

const webhookParams = z.object({ id: idSchema });
const deliveryParams = webhookParams.extend({ delivery_id: idSchema });
const reading = { scope: 'webhooks', limit: 'read' } as const;
const writing = { scope: 'webhooks', limit: 'send' } as const;

const waiting = { ...deliveryExample, attempts: 0, last_status: null, last_latency_ms: null, failure: null };

const list = apiRoute(reading, PATH, {
  method: 'get',
  summary: 'The caller\'s webhooks, in the order in which they were made',
  request: { query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(webhookPageSchema, 'A page of webhooks', { data: [webhookExample], next_cursor: null }) },
});

const create = apiRoute(writing, PATH, {
  method: 'post',
  summary: 'Have events sent to an endpoint by Standard Webhooks: what the caller may see as a member of its channel at the time. The secret is in this answer and in no other',
  request: { headers: keyHeader, ...jsonBody(createWebhookBodySchema, newWebhookExample) },
  responses: { 201: json(webhookWithSecretSchema, 'The new webhook, with its version as ETag', webhookSecretExample), 404: problemAnswer('not_found'), 409: problemAnswer('conflict') },
});

const read = apiRoute(reading, ONE, {
  method: 'get',
  summary: 'One webhook',
  request: { params: webhookParams },
  responses: { 200: json(webhookSchema, 'The webhook, with its version as ETag', webhookExample) },
});

const conditional = keyHeader.extend({
  'if-match': z.string().regex(/^"\d{1,9}"$/, 'must be an ETag of this resource').optional().openapi({ description: 'The ETag of the webhook that is to be changed', example: '"1"', param: { required: true } }),
});

const update = apiRoute(writing, ONE, {
  method: 'patch',
  summary: 'Change a webhook. Disabling it cancels what waits; enabling it forgets that it failed',
  request: { headers: conditional, params: webhookParams, ...jsonBody(webhookPatchSchema, { state: 'disabled' }) },
  responses: {
    200: json(webhookSchema, 'The webhook, with its version as ETag', {
      ...webhookExample, state: 'disabled', disabled_reason: 'owner', disabled_at: '2026-11-26T13:00:00.000Z', version: 2,
    }),
    412: problemAnswer('precondition_failed'),
    428: problemAnswer('precondition_required'),
  },
});

const remove = apiRoute(writing, ONE, {
  method: 'delete',
  summary: 'Delete a webhook with its deliveries',
  request: { headers: keyHeader, params: webhookParams },
  responses: { 204: { description: 'Deleted' } },
});

const rotate = apiRoute(writing, `${ONE}/rotate-secret`, {
  method: 'post',
  summary: 'Give a webhook another secret. For 24 hours deliveries are signed with the one before it, too',
  request: { headers: keyHeader, params: webhookParams },
  responses: { 200: json(webhookWithSecretSchema, 'The webhook, with its version as ETag', { ...webhookSecretExample, previous_secret_until: '2026-11-27T12:00:00.000Z', version: 2 }) },
});

const test = apiRoute(writing, `${ONE}/test`, {
  method: 'post',
  summary: 'Send `webhook.test` to a webhook\'s endpoint, at once',
  request: { headers: keyHeader, params: webhookParams },
  responses: { 202: json(deliverySchema, 'The delivery, which waits', waiting), 409: problemAnswer('conflict') },
});

const deliveries = apiRoute(reading, `${ONE}/deliveries`, {
  method: 'get',
  summary: 'What became of a webhook\'s deliveries of the last 30 days, the newest first',
  request: { params: webhookParams, query: z.object({ limit: limitSchema, cursor: cursorSchema, status: deliveryStatusSchema.optional() }) },
  responses: { 200: json(deliveryPageSchema, 'A page of deliveries', { data: [deliveryExample], next_cursor: null }) },
});

const replay = apiRoute(writing, `${ONE}/deliveries/{delivery_id}/replay`, {
  method: 'post',
  summary: 'Send an event once more, under its `webhook-id`, whatever became of it',
  request: { headers: keyHeader, params: deliveryParams },
  responses: { 202: json(deliverySchema, 'The delivery, which waits', waiting), 409: problemAnswer('conflict') },
});

const etag = ({ version }: { version: number }): string => `"${version}"`;

export function webhookRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();
  describeWebhookPayload(app);

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid('query');
    const after = cursor === undefined ? null : decodeId(LIST, cursor);
    const found = unwrap(await withPostgres(c, (db) => listWebhooks(db, c.get('identity').actor.credential_id, { after, limit: limit + 1 })));
    return c.json(listingOf(c, found, limit, ({ id }) => encodeCursor(LIST, id)), 200);
  });

  app.openapi(create, async (c) => {
    const body = c.req.valid('json');
    refuseUrl(c, body.url);
    const secret = newSecret();
    const { body: made } = await writeDirectory(c, { body: webhookWithSecretSchema, statuses: [201] }, async (tx, now) =>
      answered(201, await createWebhook(tx, c.get('identity').actor, body, secret, now), (made) => ({ ...made, secret: secretText(secret) })),
    );
    return c.json(made, 201, { ETag: etag(made), Location: `${PATH}/${made.id}` });
  });

  app.openapi(read, async (c) => {
    const webhook = unwrap(await withPostgres(c, (db) => findWebhook(db, c.get('identity').actor.credential_id, c.req.valid('param').id)));
    return c.json(webhook, 200, { ETag: etag(webhook) });
  });

  app.openapi(update, async (c) => {
    const patch = c.req.valid('json');
    if (patch.url !== undefined) refuseUrl(c, patch.url);
    const match = c.req.valid('header')['if-match'];
    if (match === undefined) throw new ProblemError({ code: 'precondition_required' });
    const { body } = await writeDirectory(c, { body: webhookSchema, statuses: [200] }, async (tx, now) =>
      answered(200, await updateWebhook(tx, requestOf(c, c.req.valid('param').id, now), patch, Number(match.slice(1, -1)))),
    );
    return c.json(body, 200, { ETag: etag(body) });
  });

  app.openapi(remove, async (c) => {
    await writeDirectory(c, { body: z.null(), statuses: [204] }, async (tx, now) =>
      answered(204, await deleteWebhook(tx, requestOf(c, c.req.valid('param').id, now)), () => null),
    );
    return c.body(null, 204);
  });

  app.openapi(rotate, async (c) => {
    const secret = newSecret();
    const { body } = await writeDirectory(c, { body: webhookWithSecretSchema, statuses: [200] }, async (tx, now) =>
      answered(200, await rotateSecret(tx, requestOf(c, c.req.valid('param').id, now), secret), (made) => ({ ...made, secret: secretText(secret) })),
    );
    return c.json(body, 200, { ETag: etag(body) });
  });

  app.openapi(test, async (c) => c.json(await sendAgain(c, c.req.valid('param').id, testWebhook), 202));

  app.openapi(replay, async (c) => {
    const { id, delivery_id } = c.req.valid('param');
    return c.json(await sendAgain(c, id, (tx, request) => replayDelivery(tx, request, delivery_id)), 202);
  });

  app.openapi(deliveries, async (c) => {
    const { limit, cursor, status } = c.req.valid('query');
    const page = { below: cursor === undefined ? null : decodeCounter(LOG, cursor), limit: limit + 1, status };
    const found = unwrap(await withPostgres(c, (db) => listDeliveries(db, c.get('identity').actor.credential_id, c.req.valid('param').id, page)));
    const { data, next_cursor } = listingOf(c, found, limit, ({ number }) => encodeCursor(LOG, number));
    return c.json({ data: data.map(({ delivery }) => delivery), next_cursor }, 200);
  });

  return app;
}

async function sendAgain(c: Context<AppEnv>, id: string, effect: (tx: Transaction, request: WebhookRequest) => Promise<Outcome<Delivery>>): Promise<Delivery> {
  const { body } = await writeDirectory(c, { body: deliverySchema, statuses: [202] }, async (tx, now) => answered(202, await effect(tx, requestOf(c, id, now))));
  return body;
}

const requestOf = (c: Context<AppEnv>, id: string, now: Date): WebhookRequest => ({ credentialId: c.get('identity').actor.credential_id, id, now });

function refuseUrl(c: Context<AppEnv>, url: string): void {
  const detail = faultOfUrl(url, { loopback: c.env.ENVIRONMENT === 'development' });
  if (detail !== null) throw new ProblemError({ code: 'invalid', errors: [{ pointer: '/url', detail }] });
}

const newSecret = (): Uint8Array => crypto.getRandomValues(new Uint8Array(32));
const secretText = (secret: Uint8Array): string => `whsec_${btoa(String.fromCharCode(...secret))}`;
