import { OpenAPIHono, z } from '@hono/zod-openapi';
import { findRoles } from '../../db/queries/access.ts';
import { searchMessages, type TermGroup } from '../../db/queries/search.ts';
import { searchPageSchema } from '../../protocol/api.ts';
import { MAX_QUERY } from '../../protocol/limits.ts';
import { idSchema, storableString } from '../../protocol/primitives.ts';
import { apiRoute, json, nearHeader } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { cursorSchema, decodeId, encodeCursor, limitSchema, linkHeader } from '../paging.ts';
import { ProblemError, unwrap } from '../problems.ts';
import { highlight } from '../search/highlight.ts';
import { parseQuery } from '../search/query.ts';
import { readNear } from '../replica/read-near.ts';
import type { Services } from '../services.ts';

const search = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/search/messages', {
  method: 'get',
  summary: 'Messages by words, "phrases", -exclusions and or, newest first; as the index has them, which may lag',
  request: { headers: nearHeader, query: z.object({ q: storableString(MAX_QUERY), channel: idSchema.optional(), limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(searchPageSchema, 'A page of messages, with the places that match') },
});

function groupsOf(q: string): TermGroup[] {
  const groups = parseQuery(q);
  if (groups.length > 0) return groups;
  throw new ProblemError({ code: 'invalid', errors: [{ pointer: '?q', detail: 'must have something to look for' }] });
}

/** Ties a cursor to its query (FNV-1a, 32 bits): against mistakes, not against malice, which gains nothing here. */
function checksum(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(36);
}

export function searchRoutes({ replica }: Pick<Services, 'replica'>): App {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(search, async (c) => {
    const { q, channel, limit, cursor } = c.req.valid('query');
    const groups = groupsOf(q);
    const list = `search ${checksum(`${channel ?? ''} ${q}`)}`;
    const before = cursor === undefined ? null : decodeId(list, cursor);
    const request = { query: q, groups, channelId: channel ?? null, before, limit: limit + 1 };
    const { credential_id } = c.get('identity').actor;
    const found = await readNear(c, replica, {
      read: async (db) => unwrap(await searchMessages(db, credential_id, request)),
      confirm: async (primary, { messages: hits }) => {
        const channelIds = [...new Set(hits.map(({ channel_id }) => channel_id))];
        const roles = await findRoles(primary, credential_id, channelIds);
        return roles !== null && channelIds.every((id) => roles.in.has(id));
      },
    });
    const messages = found.messages.slice(0, limit);
    const last = found.messages.length > limit ? messages.at(-1) : undefined;
    const next_cursor = last ? encodeCursor(list, last.id) : null;
    c.header('Link', linkHeader(c.req.url, [{ rel: 'next', parameter: 'cursor', cursor: next_cursor }]));
    const terms = groups.flatMap(({ all }) => all);
    return c.json({ data: messages.map((message) => ({ message, highlights: highlight(message.text, terms) })), next_cursor, users: found.users }, 200);
  });
  return app;
}
