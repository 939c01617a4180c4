import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import { createBot, listBots, refuseNonBot } from '../../db/queries/bots.ts';
import { revokeOthers, revokeOwn } from '../../db/queries/credentials.ts';
import { findRevokedAccess, type RevokedAccess } from '../../db/queries/deactivation.ts';
import { addOwnToken, addToken, listOwnCredentials } from '../../db/queries/own-credentials.ts';
import type { Transaction } from '../../db/client.ts';
import {
  botBodySchema, botListSchema, botSchema, credentialListSchema, newTokenSchema, type NewToken, revokedSchema, tokenBodySchema, type TokenBody,
} from '../../protocol/credentials.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { apiRoute, json, jsonBody, keyHeader, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { hasScope } from '../identity/identity.ts';
import { hashSecret, mintSecret } from '../identity/secret.ts';
import { inTransaction, withPostgres } from '../postgres.ts';
import { ProblemError, unwrap } from '../problems.ts';
import { endAccess } from '../revocation.ts';
import { traceparentOf } from '../traceparent.ts';

const idParams = z.object({ id: idSchema });

const list = apiRoute({ scope: 'credentials', limit: 'read' }, '/v1/me/credentials', {
  method: 'get',
  summary: 'Where the caller is signed in, and their tokens',
  responses: { 200: json(credentialListSchema, 'Live credentials, newest first; never their secrets') },
});

const revoke = apiRoute({ scope: 'credentials', limit: 'send' }, '/v1/me/credentials/{id}', {
  method: 'delete',
  summary: 'Sign a device out, or revoke a token: when this returns it has no access left, live sockets included',
  request: { headers: keyHeader, params: idParams },
  responses: { 204: { description: 'Revoked' } },
});

const revokeAll = apiRoute({ scope: 'credentials', limit: 'send' }, '/v1/me/revoke-others', {
  method: 'post',
  summary: 'Sign out everywhere else: all sessions but the one in use, and the tokens too where asked for',
  request: { headers: keyHeader, ...jsonBody(z.strictObject({ tokens: z.boolean().default(false) })) },
  responses: { 200: json(revokedSchema, 'How many were revoked') },
});

const issue = apiRoute({ scope: 'credentials', limit: 'send' }, '/v1/me/tokens', {
  method: 'post',
  summary: 'A personal token, for programs. Its secret is shown this once',
  request: { headers: keyHeader, ...jsonBody(tokenBodySchema) },
  responses: { 201: json(newTokenSchema, 'The token'), 409: problemAnswer('conflict') },
});

const bots = apiRoute({ scope: 'admin', limit: 'read' }, '/v1/admin/bots', {
  method: 'get',
  summary: 'All bots, for administrators',
  responses: { 200: json(botListSchema, 'Bots by handle') },
});

const makeBot = apiRoute({ scope: 'admin', limit: 'send' }, '/v1/admin/bots', {
  method: 'post',
  summary: 'Make a bot: a user for programs, for administrators. It is deactivated like every user',
  request: { headers: keyHeader, ...jsonBody(botBodySchema) },
  responses: { 201: json(botSchema, 'The bot'), 409: problemAnswer('conflict') },
});

const issueForBot = apiRoute({ scope: 'admin', limit: 'send' }, '/v1/admin/bots/{id}/tokens', {
  method: 'post',
  summary: 'A token of a bot, for administrators. Its secret is shown this once',
  request: { headers: keyHeader, params: idParams, ...jsonBody(tokenBodySchema) },
  responses: { 201: json(newTokenSchema, 'The token'), 409: problemAnswer('conflict') },
});

export function credentialRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => c.json({ data: unwrap(await withPostgres(c, (db) => listOwnCredentials(db, callerOf(c)))) }, 200));

  app.openapi(revoke, async (c) => {
    const { id } = c.req.valid('param');
    const revokeHere = (tx: Transaction) => revokeOwn(tx, callerOf(c), id, revocationOf(c));
    const ended: RevokedAccess[] = [];
    await writeDirectory(c, { body: z.null(), statuses: [204] }, async (tx) => {
      const revoked = await revokeHere(tx);
      if ('ok' in revoked) ended.push(revoked.ok);
      return answered(204, revoked, () => null);
    });
    // A repetition tells all again, for what failed may have been that. It stays revoked, so nothing else comes of it.
    await endAccess(c, ended[0] ?? unwrap(await inTransaction(c, revokeHere)));
    return c.body(null, 204);
  });

  app.openapi(revokeAll, async (c) => {
    const { tokens } = c.req.valid('json');
    const ended: (RevokedAccess | null)[] = [];
    const { body } = await writeDirectory(c, { body: revokedSchema, statuses: [200] }, async (tx) => {
      const revoked = await revokeOthers(tx, callerOf(c), tokens, revocationOf(c));
      if ('ok' in revoked) ended.push(revoked.ok);
      return answered(200, revoked, (access) => ({ revoked: access?.credentials.length ?? 0 }));
    });
    // A repetition under its key revokes nothing that came since, and tells again of all that is.
    const access = ended.length > 0 ? ended[0] : await withPostgres(c, (db) => findRevokedAccess(db, c.get('identity').actor.user_id));
    if (access) await endAccess(c, access);
    return c.json(body, 200);
  });

  app.openapi(issue, async (c) => {
    const { user_id } = c.get('identity').actor;
    return c.json(await issueToken(c, c.req.valid('json'), { user_id, kind: 'personal' }, (tx, token) => addOwnToken(tx, callerOf(c), token)), 201);
  });

  app.openapi(bots, async (c) => c.json({ data: unwrap(await withPostgres(c, (db) => listBots(db, callerOf(c)))) }, 200));

  app.openapi(makeBot, async (c) => {
    const { credential_id: credentialId, user_id: ownerId } = c.get('identity').actor;
    const request = { ...c.req.valid('json'), id: uuidv7(), credentialId, ownerId, traceparent: traceparentOf(c.req.raw.headers) };
    const { body } = await writeDirectory(c, { body: botSchema, statuses: [201] }, async (tx, now) => answered(201, await createBot(tx, { ...request, now })));
    return c.json(body, 201);
  });

  app.openapi(issueForBot, async (c) => {
    const { id } = c.req.valid('param');
    const token = await issueToken(c, c.req.valid('json'), { user_id: id, kind: 'bot' }, async (tx, fresh) => {
      const problem = await refuseNonBot(tx, callerOf(c), id);
      return problem ? { problem } : addToken(tx, fresh);
    });
    return c.json(token, 201);
  });

  return app;
}

const callerOf = (c: Context<AppEnv>): string => c.get('identity').actor.credential_id;
const revocationOf = (c: Context<AppEnv>) => ({ now: new Date(), traceparent: traceparentOf(c.req.raw.headers) });

type FreshToken = Parameters<typeof addToken>[1];

/** The secret is in the answer of whoever made the token, and nowhere else: not in the answer that is kept for repetitions. */
async function issueToken(
  c: Context<AppEnv>,
  { name, scopes, expires_in_days }: TokenBody,
  whose: Pick<FreshToken, 'user_id' | 'kind'> & { readonly kind: 'personal' | 'bot' },
  add: (tx: Transaction, token: FreshToken) => Promise<Outcome<true>>,
): Promise<NewToken> {
  refuseMore(c, scopes);
  const fresh = mintSecret(whose.kind);
  const secret_hash = await hashSecret(fresh);
  const id = uuidv7();
  const { body } = await writeDirectory(c, { body: newTokenSchema, statuses: [201] }, async (tx, now) => {
    const expires_at = new Date(now.getTime() + expires_in_days * 86_400_000);
    const added = await add(tx, { ...whose, id, secret_hash, name, scopes: [...new Set(scopes)], expires_at });
    if ('problem' in added) return added;
    const times = { created_at: now.toISOString(), last_used_at: null, expires_at: expires_at.toISOString() };
    return { ok: { status: 201 as const, body: { id, kind: whose.kind, name, scopes: [...new Set(scopes)], ...times, current: false, secret: null } } };
  });
  return body.id === id ? { ...body, secret: fresh } : body;
}

/** Nobody hands on more than they have: a token that leaks cannot make itself a stronger one. */
function refuseMore(c: Context<AppEnv>, scopes: TokenBody['scopes']): void {
  const errors = scopes.flatMap((scope, n) => (hasScope(c.get('identity'), scope) ? [] : [{ pointer: `/scopes/${n}`, detail: 'the credential in use has not got this scope itself' }]));
  if (errors.length > 0) throw new ProblemError({ code: 'forbidden', detail: 'a token gets no scope that its maker has not got', errors });
}
