import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { findMyPresence, setMyPresence } from '../../db/queries/presence.ts';
import { myPresenceSchema, presenceBodySchema, type MyPresence } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { apiRoute, json, jsonBody, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { matchedVersion, optionalMatch } from '../preconditions.ts';
import { ProblemError, unwrap } from '../problems.ts';

const PATH = '/v1/me/presence';

const read = apiRoute({ scope: 'channels:read', limit: 'read' }, PATH, {
  method: 'get',
  summary: 'What the caller chose to be seen as',
  responses: { 200: json(myPresenceSchema, 'The choice, with its version as ETag') },
});

const conditional = optionalMatch(9, 'must be an ETag of this resource', 'The ETag of the choice that is to be replaced; without it, whichever there is');

const write = apiRoute({ scope: 'channels:write', limit: 'send' }, PATH, {
  method: 'put',
  summary: 'Choose what to be seen as, and a status until a time. All devices know it when this returns',
  request: { headers: conditional, ...jsonBody(presenceBodySchema) },
  responses: { 200: json(myPresenceSchema, 'The choice, with its version as ETag'), 412: problemAnswer('precondition_failed') },
});

const etag = ({ version }: MyPresence): string => `"${version}"`;

export function presenceRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(read, async (c) => {
    const presence = unwrap(await withPostgres(c, (db) => findMyPresence(db, c.get('identity').actor.credential_id)));
    return c.json(presence, 200, { ETag: etag(presence) });
  });

  app.openapi(write, async (c) => {
    const body = c.req.valid('json');
    const expected = matchedVersion(c.req.valid('header'));
    const answer = await writeDirectory(c, { body: myPresenceSchema, statuses: [200] }, async (tx) =>
      answered(200, await setMyPresence(tx, c.get('identity').actor.credential_id, body, expected)),
    );
    await tellInbox(c, answer.body);
    return c.json(answer.body, 200, { ETag: etag(answer.body) });
  });

  return app;
}

/** Repeated by every repetition of the request: the inbox passes over what it knows, or what is older than that. */
async function tellInbox(c: Context<AppEnv>, presence: MyPresence): Promise<void> {
  const userId = c.get('identity').actor.user_id;
  const told = await choose(c, userId, presence);
  if ('problem' in told) throw new ProblemError({ code: 'unavailable', detail: 'the choice is kept, but not in effect yet: try again', retry_after: 1 });
}

async function choose(c: Context<AppEnv>, userId: string, presence: MyPresence): Promise<Outcome<null>> {
  try {
    return await c.env.INBOXES.getByName(userId).choosePresence(userId, presence);
  } catch (error) {
    console.warn(JSON.stringify({ level: 'warn', request_id: c.get('requestId'), event: 'inbox_not_told', error: String(error) }));
    return { problem: { code: 'unavailable' } };
  }
}
