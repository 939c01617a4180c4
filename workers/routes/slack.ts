import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { findEnded } from '../../db/queries/ended-credentials.ts';
import { problemAnswer } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { hasScope, type Identity } from '../identity/identity.ts';
import { hashSecret } from '../identity/secret.ts';
import { readText } from '../json.ts';
import { identifyBearer } from '../middleware/authenticate.ts';
import { findExcess } from '../middleware/limit-rate.ts';
import { withPostgres } from '../postgres.ts';
import { answerError, ProblemError, retryAfterOf } from '../problems.ts';
import { type Execute, executeBy } from '../execute-command.ts';
import type { Services } from '../services.ts';
import { type Arguments, given, isJson, isMultipart, readBodyArguments } from '../slack/arguments.ts';
import { refusalOf, SlackError, type SlackRefusal, type Words } from '../slack/errors.ts';
import { type Answer, Call, type Method } from '../slack/method.ts';
import { methods } from '../slack/methods.ts';

const PATH = '/slack/api/{method}';
/** Those that are no argument of a method. */
const EVERYWHERE = new Set(['token', 'team_id']);

const answerSchema = z
  .looseObject({ ok: z.boolean(), error: z.string().optional(), warning: z.string().optional() })
  .openapi('SlackAnswer', { description: 'What Slack\'s method of this name answers; docs/slack.md says which there are' });
const answered = (description: string, example: z.input<typeof answerSchema>) => ({ content: { 'application/json': { schema: answerSchema, example } }, description });

const common = {
  path: PATH,
  // Who has none is told so, by 200.
  security: [{ bearer: [] }, {}],
  responses: {
    200: answered('What the method did, or why it did not: `ok` tells', { ok: true, channel: '019ac0de-0000-7000-8000-00000000000b', ts: '1795708829.512017' }),
    403: problemAnswer('forged_origin'),
    429: answered('Too many requests: again after Retry-After', { ok: false, error: 'ratelimited' }),
    500: answered('An unexpected fault', { ok: false, error: 'internal_error' }),
    503: answered('A store this needs is away: again after Retry-After', { ok: false, error: 'service_unavailable' }),
  },
};
const params = z.object({ method: z.string().min(1).openapi({ example: 'chat.postMessage' }) });
const argumentsSchema = z.looseObject({ token: z.unknown().optional().openapi({ description: 'Where no header has it; what is none is not_authed' }) }).openapi({ example: { channel: '#general', text: 'Hello' } });

const post = createRoute({
  ...common,
  method: 'post',
  summary: 'A method of Slack\'s Web API, for programs that are written against it',
  request: {
    params,
    headers: z.object({ 'idempotency-key': z.string().optional().openapi({ description: 'Of chat.postMessage: the client_msg_id. Of every other method that changes something: a repetition under it is answered as it was, and changes nothing' }) }),
    body: { content: { 'application/x-www-form-urlencoded': { schema: argumentsSchema }, 'multipart/form-data': { schema: argumentsSchema }, 'application/json': { schema: z.unknown().openapi({ description: 'An object of arguments; anything else is answered by 200, and why not', example: { channel: '#general', text: 'Hello' } }) } } },
  },
});
const get = createRoute({ ...common, method: 'get', summary: 'The same, with the arguments in the query', request: { params } });

export function slackRoutes(services: Services): App {
  const app = new OpenAPIHono<AppEnv>();
  const execute = executeBy(services.roomCalls);
  for (const route of [post, get]) app.openAPIRegistry.registerPath(route);
  app.on(['POST', 'GET'], [post.getRoutingPath()], (c) => handle(c, services, execute));
  return app;
}

async function handle(c: Context<AppEnv>, services: Services, execute: Execute): Promise<Response> {
  const name = c.req.param('method') ?? '';
  const method = methods.get(name);
  try {
    const args = await readArguments(c);
    if (name === 'api.test') return testApi(c, args);
    if (method === undefined) return c.json({ ok: false, error: 'unknown_method', req_method: name.slice(0, 100) }, 200);
    const token = tokenOf(c, args['token']);
    return await sayingWhy(c, token, async () => run(c, await identifyBearer(c, services, token), execute, method, args));
  } catch (error) {
    return refuse(c, error, method?.words);
  }
}

async function run(c: Context<AppEnv>, identity: Identity, execute: Execute, method: Method, args: Arguments): Promise<Response> {
  c.set('identity', identity);
  const excess = await findExcess(c, method.limit);
  if (excess) throw new ProblemError(excess.problem, excess.headers);
  const scopes = scopeHeaders(identity, method);
  if (method.scope !== null && !hasScope(identity, method.scope)) {
    return c.json({ ok: false, error: 'missing_scope', needed: method.scope, provided: [...identity.scopes].join(',') }, 200, scopes);
  }
  const answer = await method.invoke(new Call(c, execute), args);
  return c.json({ ok: true, ...answer, ...warningsOf(method, args, answer) }, 200, scopes);
}

/** In the body of a form or of JSON, or in the query; of an argument that is given twice the body's counts. A token in the query would be kept by whoever logs addresses. */
async function readArguments(c: Context<AppEnv>): Promise<Arguments> {
  const { token: _, ...query } = c.req.query();
  if (c.req.method !== 'POST') return given(query);
  const type = c.req.raw.headers.get('content-type') ?? '';
  const body = await readBodyArguments(await readText(c), type);
  if (body === null) throw new ProblemError({ code: isJson(type) ? 'unsupported_media_type' : 'unreadable_body', detail: isJson(type) ? 'the body is no JSON object' : 'the body is no form' });
  // Between its parts stands what a client draws anew each time: that is no part of what it asks, and a repetition under a key asks the same.
  if (isMultipart(type)) c.set('bodyText', JSON.stringify(body));
  return given({ ...query, ...body });
}

/** By `Authorization`, else by the argument `token`; never by a cookie, so that no page can make a browser call. */
function tokenOf(c: Context<AppEnv>, argument: unknown): string {
  const token = /^Bearer +(\S+) *$/i.exec(c.req.raw.headers.get('authorization') ?? '')?.[1] ?? argument;
  if (typeof token !== 'string') throw new SlackError('not_authed');
  return token;
}

/** Says of a token that is refused why. Also where an isolate still knew it: then whoever asks the record is refused. */
async function sayingWhy<T>(c: Context<AppEnv>, token: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem.code !== 'unauthenticated') throw error;
    throw new SlackError((await withPostgres(c, async (db) => findEnded(db, await hashSecret(token)))) ?? 'invalid_auth');
  }
}

const scopeHeaders = (identity: Identity, { scope }: Method) => ({ 'X-OAuth-Scopes': [...identity.scopes].join(','), 'X-Accepted-OAuth-Scopes': scope ?? '' });

/** Arguments that do nothing here, and what the method itself warns of. */
function warningsOf({ names }: Method, args: Arguments, { warning, response_metadata }: Answer) {
  const ignored = Object.keys(args).filter((name) => !names.has(name) && !EVERYWHERE.has(name)).slice(0, 20);
  const warnings = [...(warning === undefined ? [] : [warning]), ...(ignored.length > 0 ? ['ignored_arguments'] : [])];
  if (warnings.length === 0) return {};
  const messages = ignored.map((name) => `[WARN] ${name.slice(0, 50)} does nothing here`);
  return { warning: warnings.join(','), response_metadata: { ...response_metadata, warnings, ...(messages.length > 0 && { messages }) } };
}

function testApi(c: Context<AppEnv>, sent: Arguments): Response {
  const { error } = sent;
  const args = Object.fromEntries(Object.entries(sent).filter(([name]) => name !== 'token'));
  return c.json({ ok: error === undefined, ...(error !== undefined && { error: typeof error === 'string' ? error : JSON.stringify(error) }), args }, 200);
}

/** In Slack's shape, whatever went wrong; what nobody foresaw is logged as everywhere. */
function refuse(c: Context<AppEnv>, error: unknown, words: Words | undefined): Response {
  if (error instanceof SlackError) return c.json({ ok: false, error: error.word, ...error.more }, 200);
  if (error instanceof ProblemError) return answerRefusal(c, refusalOf(error.problem, words), { ...error.headers, ...retryAfterOf(error.problem) });
  const failed = answerError(error instanceof Error ? error : new Error(String(error)), c);
  return answerRefusal(c, refusalOf({ code: failed.status === 503 ? 'unavailable' : 'internal' }), { 'Retry-After': '1' });
}

const answerRefusal = (c: Context<AppEnv>, { status, body }: SlackRefusal, headers: Readonly<Record<string, string>>): Response => c.json(body, status, { ...headers });
