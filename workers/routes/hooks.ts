import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import type { ErrorCode } from '../../protocol/errors.ts';
import { problemAnswer } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { idempotencyKey } from '../idempotency-key.ts';
import { channelOfHook } from '../identity/secret.ts';
import { readText } from '../json.ts';
import { identifyHook } from '../middleware/authenticate.ts';
import { findExcess } from '../middleware/limit-rate.ts';
import { answerError, ProblemError, retryAfterOf } from '../problems.ts';
import { type Execute, executeBy } from '../execute-command.ts';
import type { Services } from '../services.ts';
import { textOfMessage } from '../slack/blocks.ts';
import { findByTs } from '../slack/find-message.ts';
import { readPayload } from '../slack/payload.ts';
import { faultOfText, translateIn } from '../slack/text-in.ts';
import { clientMsgIdSchema } from '../../protocol/primitives.ts';

/** Slack's words for what a post may come to, and their statuses (docs.slack.dev, "Incoming webhooks: handling errors", 2026-11). Those after `no_service` are not Slack's there. */
const ANSWERS = {
  ok: 200,
  invalid_payload: 400,
  no_text: 400,
  msg_too_long: 400,
  thread_not_found: 400,
  no_service: 404,
  channel_is_archived: 410,
  rate_limited: 429,
  internal_error: 500,
  service_unavailable: 503,
} as const;
type Word = keyof typeof ANSWERS;

/** An address that is unknown, or revoked, or whose bot was removed from its channel: nobody is told which. */
const WORDS: Partial<Record<ErrorCode, Word>> = {
  unauthenticated: 'no_service',
  not_a_member: 'no_service',
  not_found: 'no_service',
  channel_archived: 'channel_is_archived',
  rate_limited: 'rate_limited',
  unavailable: 'service_unavailable',
  room_backlogged: 'service_unavailable',
  internal: 'internal_error',
};

const statuses = [...new Set(Object.values(ANSWERS))];
const said = (status: number) => {
  const words = (Object.keys(ANSWERS) as Word[]).filter((word) => ANSWERS[word] === status);
  return { content: { 'text/plain': { schema: z.enum(words as [Word, ...Word[]]), example: words[0] } }, description: words.join(', ') };
};

const payloadSchema = z
  .looseObject({
    text: z.unknown().optional().openapi({ description: 'In Slack\'s mrkdwn' }),
    blocks: z.unknown().optional().openapi({ description: 'Reduced to their text' }),
    attachments: z.unknown().optional().openapi({ description: 'Reduced to their text' }),
    thread_ts: z.unknown().optional().openapi({ description: 'The ts of the message that is answered' }),
  })
  .openapi({ example: { text: 'Build <https://ci.example/7|#7> is done' } });

const post = createRoute({
  method: 'post',
  path: '/hooks/incoming/{token}',
  summary: 'Post into a channel as into a Slack incoming webhook. The address is the secret; an Idempotency-Key makes repetitions harmless',
  security: [],
  request: {
    params: z.object({ token: z.string().min(1) }),
    headers: z.object({ 'idempotency-key': z.string().optional().openapi({ description: '1 to 64 visible ASCII characters, else 400' }) }),
    body: { content: { 'application/json': { schema: payloadSchema }, 'application/x-www-form-urlencoded': { schema: z.object({ payload: z.string() }) } }, required: true },
  },
  responses: { ...Object.fromEntries(statuses.map((status) => [status, said(status)])), 403: problemAnswer('forged_origin'), 413: problemAnswer('body_too_large') },
});

class Refusal extends Error {
  readonly word: Word;

  constructor(word: Word) {
    super(word);
    this.word = word;
  }
}

export function hookRoutes(services: Services): App {
  const app = new OpenAPIHono<AppEnv>();
  const execute = executeBy(services.roomCalls);
  app.openAPIRegistry.registerPath(post);
  app.on('POST', [post.getRoutingPath()], async (c) => {
    try {
      await receive(c, services, execute);
      return answer(c, 'ok');
    } catch (error) {
      return refuse(c, error);
    }
  });
  return app;
}

async function receive(c: Context<AppEnv>, services: Services, execute: Execute): Promise<void> {
  const channelId = await enter(c, services);
  const payload = readPayload(await readText(c));
  if (payload === null) throw new Refusal('invalid_payload');
  const text = await translateIn(c, textOfMessage(payload));
  const fault = faultOfText(text);
  if (fault !== null) throw new Refusal(fault === 'invalid_arguments' ? 'invalid_payload' : fault);
  const thread_id = await rootOf(c, channelId, payload['thread_ts']);
  const { changed } = await execute(c, channelId, { type: 'send', client_msg_id: nameOf(c), text, ...(thread_id !== undefined && { thread_id }) });
  if (!changed) c.header('Idempotency-Replayed', 'true');
}

/** The channel that this address posts into. */
async function enter(c: Context<AppEnv>, services: Services): Promise<string> {
  const token = c.req.param('token') ?? '';
  const channelId = channelOfHook(token);
  const identity = channelId === null ? null : await identifyHook(c, services, token);
  if (channelId === null || identity === null) throw new Refusal('no_service');
  c.set('identity', identity);
  const excess = await findExcess(c, 'send');
  if (excess) throw new ProblemError(excess.problem, excess.headers);
  return channelId;
}

async function rootOf(c: Context<AppEnv>, channelId: string, ts: unknown): Promise<string | undefined> {
  if (ts === undefined || ts === null || ts === '') return undefined;
  const found = typeof ts === 'string' ? await findByTs(c, channelId, ts) : null;
  if (found === null || found.deleted) throw new Refusal('thread_not_found');
  return found.thread_id ?? found.message_id;
}

function nameOf(c: Context<AppEnv>): string {
  const given = clientMsgIdSchema.safeParse(idempotencyKey(c.req.raw.headers) ?? uuidv7());
  if (!given.success) throw new Refusal('invalid_payload');
  return given.data;
}

/** The word for whatever went wrong; what nobody foresaw is logged as everywhere. */
function refuse(c: Context<AppEnv>, error: unknown): Response {
  if (error instanceof Refusal) return answer(c, error.word);
  const failed = error instanceof Error ? error : new Error(String(error));
  if (failed instanceof ProblemError) return answer(c, WORDS[failed.problem.code] ?? 'invalid_payload', { ...failed.headers, ...retryAfterOf(failed.problem) });
  return answer(c, answerError(failed, c).status === 503 ? 'service_unavailable' : 'internal_error', { 'Retry-After': '1' });
}

const answer = (c: Context<AppEnv>, word: Word, headers: Readonly<Record<string, string>> = {}): Response => c.text(word, ANSWERS[word], { ...headers });
