import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import type { Transaction } from '../../db/client.ts';
import {
  createIncomingWebhook, type Ended, listIncomingWebhooks, revokeIncomingWebhook, rotateIncomingWebhook,
} from '../../db/queries/incoming-webhooks.ts';
import type { RevokedAccess } from '../../db/queries/deactivation.ts';
import { incomingWebhookBodySchema, incomingWebhookPageSchema, type NewIncomingWebhook, newIncomingWebhookSchema } from '../../protocol/incoming-webhooks.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { apiRoute, channelParams, json, jsonBody, keyHeader, problemAnswer } from '../api-route.ts';
import { answered, tellRoom, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { hashSecret, mintHookSecret } from '../identity/secret.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeId, encodeCursor, limitSchema } from '../paging.ts';
import { inTransaction, withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';
import { endAccess } from '../revocation.ts';
import { traceparentOf } from '../traceparent.ts';

const PATH = '/v1/channels/{id}/incoming-webhooks';
const ONE = `${PATH}/{webhook_id}` as const;
const params = channelParams.extend({ webhook_id: idSchema });
const writing = { scope: 'webhooks', limit: 'send' } as const;
/** A webhook posts until it is revoked, but every credential has an end: a century on, in milliseconds. */
const LIFE_MS = 36_525 * 86_400_000;

const example: NewIncomingWebhook = {
  id: '019ac0de-0000-7000-8000-0000000000aa',
  channel_id: '019ac0de-0000-7000-8000-00000000000b',
  bot: { id: '019ac0de-0000-7000-8000-0000000000ab', handle: 'hook-0000000000aa', display_name: 'Deployments', role: 'member', avatar: null },
  created_by: '019ac0de-0000-7000-8000-00000000000d',
  created_at: '2026-11-26T12:00:00.000Z',
  rotated_at: null,
  last_used_at: null,
  // Of no webhook there is.
  url: `https://colink.example/hooks/incoming/colink_hook_019ac0de00007000800000000000000b_${'A'.repeat(43)}`,
};
const { url: _, ...listed } = example;

const list = apiRoute({ scope: 'webhooks', limit: 'read' }, PATH, {
  method: 'get',
  summary: 'The incoming webhooks of a channel, for its owners and admins, in the order in which they were made',
  request: { params: channelParams, query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(incomingWebhookPageSchema, 'A page of incoming webhooks; never their addresses', { data: [listed], next_cursor: null }), 409: problemAnswer('conflict') },
});

const create = apiRoute(writing, PATH, {
  method: 'post',
  summary: 'Make an address at which programs post into a channel as they would into Slack, for owners and admins of the channel. It is shown this once: whoever knows it may post',
  request: { headers: keyHeader, params: channelParams, ...jsonBody(incomingWebhookBodySchema, { name: 'Deployments' }) },
  responses: { 201: json(newIncomingWebhookSchema, 'The webhook, and its address', example), 409: problemAnswer('conflict') },
});

const rotate = apiRoute(writing, `${ONE}/rotate-secret`, {
  method: 'post',
  summary: 'Give an incoming webhook another address, for owners and admins of the channel. The one before is good for nothing when this returns',
  request: { headers: keyHeader, params },
  responses: { 200: json(newIncomingWebhookSchema, 'The webhook, and its address', { ...example, rotated_at: '2026-11-26T13:00:00.000Z' }) },
});

const revoke = apiRoute(writing, ONE, {
  method: 'delete',
  summary: 'Revoke an incoming webhook, for owners and admins of the channel. What it has posted stays',
  request: { headers: keyHeader, params },
  responses: { 204: { description: 'Revoked' } },
});

export function incomingWebhookRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => {
    const { id } = c.req.valid('param');
    const { limit, cursor } = c.req.valid('query');
    const listName = `incoming-webhooks ${id}`;
    const after = cursor === undefined ? null : decodeId(listName, cursor);
    const found = unwrap(await withPostgres(c, (db) => listIncomingWebhooks(db, c.get('identity').actor.credential_id, id, { after, limit: limit + 1 })));
    return c.json(listingOf(c, found, limit, ({ id }) => encodeCursor(listName, id)), 200);
  });

  app.openapi(create, async (c) => {
    const { id: channelId } = c.req.valid('param');
    const { name } = c.req.valid('json');
    const request = { ...requestOf(c, channelId), id: uuidv7(), userId: uuidv7() };
    const { secret, hash } = await freshSecret(channelId);
    const { body } = await writeDirectory(c, { body: newIncomingWebhookSchema, statuses: [201] }, async (tx, now) =>
      answered(201, await createIncomingWebhook(tx, { ...request, now }, name, { id: uuidv7(), secret_hash: hash, expires_at: new Date(now.getTime() + LIFE_MS) }), (made) => ({ ...made, url: null })),
    );
    await tellRoom(c, { ...request, userId: body.bot.id });
    return c.json(body.id === request.id ? { ...body, url: addressOf(c, secret) } : body, 201);
  });

  app.openapi(rotate, async (c) => {
    const { id: channelId, webhook_id: id } = c.req.valid('param');
    const { secret, hash } = await freshSecret(channelId);
    const credentialId = uuidv7();
    const ended: RevokedAccess[] = [];
    const { body } = await writeDirectory(c, { body: newIncomingWebhookSchema, statuses: [200] }, async (tx, now) => {
      const fresh = { id: credentialId, secret_hash: hash, expires_at: new Date(now.getTime() + LIFE_MS) };
      const rotated = await rotateIncomingWebhook(tx, { ...requestOf(c, channelId), id, now }, fresh);
      if ('problem' in rotated) return rotated;
      if (rotated.ok.ended) ended.push(rotated.ok.ended);
      return { ok: { status: 200, body: { ...rotated.ok.value, url: null } } };
    });
    for (const access of ended) await endAccess(c, access);
    // What was answered before is answered again, but for the address.
    return c.json(ended.length > 0 ? { ...body, url: addressOf(c, secret) } : body, 200);
  });

  app.openapi(revoke, async (c) => {
    const { id: channelId, webhook_id: id } = c.req.valid('param');
    const request = { ...requestOf(c, channelId), id };
    const revokeHere = (tx: Transaction) => revokeIncomingWebhook(tx, { ...request, now: new Date() });
    const revoked: Ended<string>[] = [];
    await writeDirectory(c, { body: z.null(), statuses: [204] }, async (tx) => {
      const outcome = await revokeHere(tx);
      if ('ok' in outcome) revoked.push(outcome.ok);
      return answered(204, outcome, () => null);
    });
    // A repetition tells all again, for what failed may have been that. It stays revoked, so nothing else comes of it.
    const { value: userId, ended } = revoked[0] ?? unwrap(await inTransaction(c, revokeHere));
    await tellRoom(c, { ...request, userId });
    if (ended) await endAccess(c, ended);
    return c.body(null, 204);
  });

  return app;
}

function requestOf(c: Context<AppEnv>, channelId: string) {
  const { credential_id: credentialId, user_id: actorId } = c.get('identity').actor;
  return { channelId, credentialId, actorId, eventId: uuidv7(), traceparent: traceparentOf(c.req.raw.headers) };
}

async function freshSecret(channelId: string): Promise<{ secret: string; hash: Uint8Array }> {
  const secret = mintHookSecret(channelId);
  return { secret, hash: await hashSecret(secret) };
}

const addressOf = (c: Context<AppEnv>, secret: string): string => new URL(`/hooks/incoming/${secret}`, c.req.url).href;
