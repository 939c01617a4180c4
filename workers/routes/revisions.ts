import { OpenAPIHono, z } from '@hono/zod-openapi';
import { listRevisions } from '../../db/queries/revisions.ts';
import { type RevisionPage, revisionPageSchema } from '../../protocol/api.ts';
import { apiRoute, json, messageParams } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeCounter, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';

const EXAMPLE: RevisionPage = {
  data: [
    { revision: 2, text: 'The door code has changed', written_at: '2026-11-23T10:03:00.000Z' },
    { revision: 1, text: 'The dor code has changed', written_at: '2026-11-23T10:00:00.000Z' },
  ],
  next_cursor: null,
};
/** Above every revision. */
const NEWEST = 2_147_483_647;

const list = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/channels/{id}/messages/{message_id}/revisions', {
  method: 'get',
  summary: 'What a message says and has said before, the newest first, for its author and for moderators. Of a deleted message there is nothing',
  request: { params: messageParams, query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(revisionPageSchema, 'A page of revisions', EXAMPLE) },
});

export function revisionRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(list, async (c) => {
    const { id: channelId, message_id: messageId } = c.req.valid('param');
    const { limit, cursor } = c.req.valid('query');
    const name = `revisions ${messageId}`;
    const before = cursor === undefined ? NEWEST : Math.min(decodeCounter(name, cursor), NEWEST);
    const request = { credentialId: c.get('identity').actor.credential_id, channelId, messageId, before, limit: limit + 1 };
    const found = unwrap(await withPostgres(c, (db) => listRevisions(db, request)));
    return c.json(listingOf(c, found, limit, ({ revision }) => encodeCursor(name, revision)), 200);
  });
  return app;
}
