import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { deletePushSubscription, listPushSubscriptions, type PushTarget, putPushSubscription } from '../../db/queries/push-subscriptions.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { MAX_ENDPOINT, type NewPushSubscription, pushSubscriptionBodySchema, pushSubscriptionListSchema, pushSubscriptionSchema } from '../../protocol/push.ts';
import { apiRoute, json, jsonBody, keyHeader, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { ProblemError, unwrap } from '../problems.ts';
import { faultOfUrl } from '../webhook-url.ts';

const PATH = '/v1/me/push-subscriptions';

const list = apiRoute({ scope: 'messages:read', limit: 'read' }, PATH, {
  method: 'get',
  summary: 'Browsers in which the caller is told of notifications by Web Push, and the key with which one subscribes',
  responses: { 200: json(pushSubscriptionListSchema, 'All of them') },
});

const put = apiRoute({ scope: 'messages:read', limit: 'send' }, PATH, {
  method: 'put',
  summary: 'Subscribe a browser, known by its endpoint, to the caller\'s notifications, until the credential ends that does it; again, and it stays subscribed',
  request: { headers: keyHeader, ...jsonBody(pushSubscriptionBodySchema) },
  responses: { 200: json(pushSubscriptionSchema, 'It is subscribed'), 409: problemAnswer('limit_reached') },
});

const remove = apiRoute({ scope: 'messages:read', limit: 'send' }, `${PATH}/{id}`, {
  method: 'delete',
  summary: 'Tell a browser no more',
  request: { headers: keyHeader, params: z.object({ id: idSchema }) },
  responses: { 204: { description: 'It is told no more' } },
});

export function pushSubscriptionRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => {
    const data = unwrap(await withPostgres(c, (db) => listPushSubscriptions(db, c.get('identity').actor.credential_id)));
    return c.json({ data, public_key: c.env.VAPID_PUBLIC_KEY || null }, 200);
  });

  app.openapi(put, async (c) => {
    const target = await targetOf(c, c.req.valid('json'));
    const { actor } = c.get('identity');
    const { body } = await writeDirectory(c, { body: pushSubscriptionSchema, statuses: [200] }, async (tx, now) => answered(200, await putPushSubscription(tx, actor, target, now)));
    return c.json(body, 200);
  });

  app.openapi(remove, async (c) => {
    await writeDirectory(c, { body: z.null(), statuses: [204] }, async (tx) =>
      answered(204, await deletePushSubscription(tx, c.get('identity').actor.credential_id, c.req.valid('param').id), () => null),
    );
    return c.body(null, 204);
  });

  return app;
}

/** Whether the endpoint's name leads to a public address is asked at each push, as of webhooks. */
async function targetOf(c: Context<AppEnv>, { endpoint, keys }: NewPushSubscription): Promise<PushTarget> {
  if (!c.env.VAPID_PUBLIC_KEY) throw new ProblemError({ code: 'unavailable', detail: 'this server sends no pushes' });
  const fault = faultOfUrl(endpoint, { loopback: c.env.ENVIRONMENT === 'development' });
  if (fault !== null) throw new ProblemError({ code: 'invalid', errors: [{ pointer: '/endpoint', detail: fault }] });
  const [p256dh, auth] = [bytesOf(keys.p256dh), bytesOf(keys.auth)];
  if (!(await isPoint(p256dh))) throw new ProblemError({ code: 'invalid', errors: [{ pointer: '/keys/p256dh', detail: 'must be a point of P-256' }] });
  const { href, host } = new URL(endpoint);
  if (href.length > MAX_ENDPOINT) throw new ProblemError({ code: 'invalid', errors: [{ pointer: '/endpoint', detail: `must have at most ${MAX_ENDPOINT} characters` }] });
  return { endpoint: href, host, p256dh, auth };
}

const bytesOf = (base64url: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), (unit) => unit.charCodeAt(0));

const isPoint = (bytes: Uint8Array<ArrayBuffer>): Promise<boolean> =>
  crypto.subtle.importKey('raw', bytes, { name: 'ECDH', namedCurve: 'P-256' }, false, []).then(() => true, () => false);
