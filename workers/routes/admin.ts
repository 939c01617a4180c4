import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import type { Transaction } from '../../db/client.ts';
import { recordAct } from '../../db/queries/audit.ts';
import { deactivateUser, findRevokedAccess, reactivateUser, requestRedaction, type UserRequest } from '../../db/queries/deactivation.ts';
import { setRole } from '../../db/queries/user-roles.ts';
import { restartAnnouncementBodySchema, restartAnnouncementSchema, userSchema } from '../../protocol/api.ts';
import { userRoleBodySchema } from '../../protocol/credentials.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { isAdmin } from '../admin.ts';
import { apiRoute, json, jsonBody, keyHeader, problemAnswer } from '../api-route.ts';
import { answered, keepAnswerOf, writeDirectory } from '../directory.ts';
import { forgetProfile } from '../cache/forget-profile.ts';
import type { App, AppEnv } from '../env.ts';
import { inTransaction, withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';
import { announce } from '../restart.ts';
import type { Services } from '../services.ts';
import { endAccess } from '../revocation.ts';
import { traceparentOf } from '../traceparent.ts';

const userParams = z.object({ id: idSchema });

const deactivate = apiRoute({ scope: 'admin', limit: 'send' }, '/v1/admin/users/{id}/deactivate', {
  method: 'post',
  summary: 'Take a user\'s access, for administrators: when this returns they cannot sign in, and no credential or socket of theirs is left',
  request: { headers: keyHeader, params: userParams },
  responses: { 204: { description: 'Deactivated' }, 409: problemAnswer('conflict') },
});

const reactivate = apiRoute({ scope: 'admin', limit: 'send' }, '/v1/admin/users/{id}/reactivate', {
  method: 'post',
  summary: 'Let a user sign in again, for administrators. Credentials of before stay revoked',
  request: { headers: keyHeader, params: userParams },
  responses: { 204: { description: 'Active' } },
});

const redact = apiRoute({ scope: 'admin', limit: 'send' }, '/v1/admin/users/{id}/redact', {
  method: 'post',
  summary: 'Delete all messages and files of a deactivated user, for administrators. It is begun when this returns, and ends soon',
  request: { headers: keyHeader, params: userParams },
  responses: { 202: { description: 'It will be done' }, 409: problemAnswer('conflict') },
});

const setUserRole = apiRoute({ scope: 'admin', limit: 'send' }, '/v1/admin/users/{id}/role', {
  method: 'put',
  summary: 'Give a user another role, for administrators',
  request: { headers: keyHeader, params: userParams, ...jsonBody(userRoleBodySchema) },
  responses: { 200: json(userSchema, 'The user'), 409: problemAnswer('conflict') },
});

const announceRestart = apiRoute({ scope: 'admin', limit: 'send' }, '/v1/admin/restart-announcements', {
  method: 'post',
  summary: 'Before a planned restart, for administrators: asks the live sockets of 200 channels and inboxes to come back at a random moment within a time',
  request: { headers: keyHeader, ...jsonBody(restartAnnouncementBodySchema) },
  responses: { 200: json(restartAnnouncementSchema, 'Who was asked') },
});

const DONE = { body: z.null(), statuses: [204] as const };

export function adminRoutes(services: Pick<Services, 'profiles' | 'redisBreaker'>): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(deactivate, async (c) => {
    const { id } = c.req.valid('param');
    await changeUser(c, id, deactivateUser);
    await endAccess(c, await withPostgres(c, (db) => findRevokedAccess(db, id)));
    return c.body(null, 204);
  });

  app.openapi(reactivate, async (c) => {
    await changeUser(c, c.req.valid('param').id, reactivateUser);
    return c.body(null, 204);
  });

  app.openapi(redact, async (c) => {
    const { id } = c.req.valid('param');
    await changeUser(c, id, requestRedaction);
    await forgetProfile(c, services, id);
    return c.body(null, 202);
  });

  app.openapi(setUserRole, async (c) => {
    const { role } = c.req.valid('json');
    const request = userRequest(c, c.req.valid('param').id);
    const { body } = await writeDirectory(c, { body: userSchema, statuses: [200] }, async (tx, now) => answered(200, await setRole(tx, { ...request, now }, role)));
    await forgetProfile(c, services, body.id);
    return c.json(body, 200);
  });

  app.openapi(announceRestart, async (c) => {
    const { within_seconds, cursor = null } = c.req.valid('json');
    const { body } = await keepAnswerOf(c, { body: restartAnnouncementSchema, statuses: [200] }, async () => {
      await inTransaction(c, async (tx) => {
        unwrap(await isAdmin(c, tx));
        // Noted before anybody is told: what is told cannot be undone.
        await recordAct(tx, { act: 'restart.announced', target: ['workspace', null], details: { within_seconds } });
      });
      return { status: 200, body: await announce(c.env, within_seconds * 1_000, cursor) };
    });
    return c.json(body, 200);
  });

  return app;
}

function userRequest(c: Context<AppEnv>, userId: string): Omit<UserRequest, 'now'> {
  const { credential_id: credentialId, user_id: actorId } = c.get('identity').actor;
  return { credentialId, actorId, userId, eventId: uuidv7(), traceparent: traceparentOf(c.req.raw.headers) };
}

async function changeUser(c: Context<AppEnv>, userId: string, change: (tx: Transaction, request: UserRequest) => Promise<Outcome<boolean>>): Promise<void> {
  const request = userRequest(c, userId);
  await writeDirectory(c, DONE, async (tx, now) => answered(204, await change(tx, { ...request, now }), () => null));
}
