import { OpenAPIHono, z } from '@hono/zod-openapi';
import { findStandings, refuseReader } from '../../db/queries/access.ts';
import { searchMessages } from '../../db/queries/search.ts';
import { fileSearchPageSchema, peopleSearchPageSchema, searchPageSchema } from '../../protocol/api.ts';
import { searchFiles } from '../../db/queries/search-files.ts';
import { searchPeople } from '../../db/queries/search-people.ts';
import { MAX_QUERY } from '../../protocol/limits.ts';
import { idSchema, storableString } from '../../protocol/primitives.ts';
import { isSearchable, parseQuery, type SearchQuery } from '../../protocol/search-query.ts';
import { apiRoute, json, nearHeader } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { linkNext } from '../listing.ts';
import { cursorSchema, decodeId, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { ProblemError, unwrap } from '../problems.ts';
import { checksum } from '../search/checksum.ts';
import { FILES_EXAMPLE, MESSAGES_EXAMPLE, PEOPLE_EXAMPLE } from '../search/examples.ts';
import { highlight } from '../search/highlight.ts';
import { decodePlace } from '../search/person-place.ts';
import { namesOf, ofFiles } from '../search/queries.ts';
import { readNear } from '../replica/read-near.ts';
import type { Services } from '../services.ts';

const GRAMMAR = 'words, "phrases", -exclusions and or; from:handle (or me), in:channel, in:@handle (the direct channel with them), with:handle (direct channels that they are in), is:dm, before: after: on: with a day, month, year or time';
const page = { limit: limitSchema, cursor: cursorSchema };
const queryOf = (description: string, example: string) => storableString(MAX_QUERY).openapi({ description, example });

const messages = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/search/messages', {
  method: 'get',
  summary: 'Messages, newest first; as the index has them, which may lag',
  request: { headers: nearHeader, query: z.object({ q: queryOf(`${GRAMMAR}; has:link, file or reaction; is:thread, edited or dm`, 'engine from:ada has:nothing'), channel: idSchema.optional(), ...page }) },
  responses: { 200: json(searchPageSchema, 'A page of messages, with the places that match', MESSAGES_EXAMPLE) },
});

const files = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/search/files', {
  method: 'get',
  summary: 'Clean files by their names, newest first; as the index has them, which may lag',
  request: { query: z.object({ q: queryOf(GRAMMAR, 'engine in:general'), ...page }) },
  responses: { 200: json(fileSearchPageSchema, 'A page of files, with the places of their names that match', FILES_EXAMPLE) },
});

const people = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/search/people', {
  method: 'get',
  summary: 'People by parts of their names, those whose name begins so first; as the index has them, which may lag',
  request: { query: z.object({ q: queryOf('Words that are all in the handle or the displayed name', 'love'), ...page }) },
  responses: { 200: json(peopleSearchPageSchema, 'A page of people, with the places of their names that match', PEOPLE_EXAMPLE) },
});

function nothingToLookFor(detail = 'must have something to look for'): ProblemError {
  return new ProblemError({ code: 'invalid', errors: [{ pointer: '?q', detail }] });
}

function searchable(query: SearchQuery): SearchQuery {
  if (isSearchable(query)) return query;
  throw nothingToLookFor(query.hints[0]?.detail);
}

const termsOf = ({ any }: SearchQuery): string[] => any.flatMap(({ all }) => all);

export function searchRoutes({ replica }: Pick<Services, 'replica'>): App {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(messages, async (c) => {
    const { q, channel, limit, cursor } = c.req.valid('query');
    const query = searchable(parseQuery(q));
    const list = `search ${checksum(`${channel ?? ''} ${q}`)}`;
    const request = { query, channelId: channel ?? null, before: cursor === undefined ? null : decodeId(list, cursor), limit };
    const { credential_id } = c.get('identity').actor;
    const found = await readNear(c, replica, {
      read: async (db) => unwrap(await searchMessages(db, credential_id, request, Date.now)),
      confirm: async (primary, { messages: hits }) => {
        const channelIds = [...new Set(hits.map(({ channel_id }) => channel_id))];
        const standings = await findStandings(primary, credential_id, channelIds);
        return standings !== null && channelIds.every((id) => refuseReader(standings.in.get(id)) === null);
      },
    });
    const next_cursor = found.next === null ? null : encodeCursor(list, found.next);
    linkNext(c, next_cursor);
    const data = found.messages.map((message) => ({ message, highlights: highlight(message.text, termsOf(query)) }));
    return c.json({ data, next_cursor, users: found.users, index_lag: found.lag, hints: [...query.hints] }, 200);
  });
  app.openapi(files, async (c) => {
    const { q, limit, cursor } = c.req.valid('query');
    const { query, hints } = ofFiles(parseQuery(q));
    const list = `files ${checksum(q)}`;
    const request = { query: searchable(query), before: cursor === undefined ? null : decodeId(list, cursor), limit };
    const found = unwrap(await withPostgres(c, (db) => searchFiles(db, c.get('identity').actor.credential_id, request)));
    const next_cursor = found.next === null ? null : encodeCursor(list, found.next);
    linkNext(c, next_cursor);
    const data = found.files.map((file) => ({ file, highlights: highlight(file.name, termsOf(query)) }));
    return c.json({ data, next_cursor, users: found.users, index_lag: found.lag, hints }, 200);
  });
  app.openapi(people, async (c) => {
    const { q, limit, cursor } = c.req.valid('query');
    const terms = namesOf(q);
    if (terms.length === 0) throw nothingToLookFor();
    const list = `people ${checksum(q)}`;
    const request = { terms, after: cursor === undefined ? null : decodePlace(list, cursor), limit };
    const found = unwrap(await withPostgres(c, (db) => searchPeople(db, c.get('identity').actor.credential_id, request)));
    const next_cursor = found.next === null ? null : encodeCursor(list, `${found.next.rank} ${found.next.handle}`);
    linkNext(c, next_cursor);
    const marks = (text: string) => highlight(text, terms);
    const data = found.users.map((user) => ({ user, highlights: { handle: marks(user.handle), display_name: marks(user.display_name) } }));
    return c.json({ data, next_cursor, index_lag: found.lag }, 200);
  });
  return app;
}
