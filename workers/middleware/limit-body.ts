import type { Context, MiddlewareHandler, Next } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Problem } from '../../protocol/errors.ts';
import { MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, MAX_FORM_BODY_BYTES } from '../../protocol/limits.ts';
import type { AppEnv } from '../env.ts';
import { problemResponse } from '../problems.ts';
import { refusalOf } from '../slack/errors.ts';

/** 413 for a body over the route's limit: by its declared length at once, else as soon as it has grown past it. */
export function limitBody(): MiddlewareHandler<AppEnv> {
  const single = limiter(MAX_BODY_BYTES);
  const batch = limiter(MAX_BATCH_BODY_BYTES);
  const form = limiter(MAX_FORM_BODY_BYTES);
  return function limitBodyMiddleware(c, next) {
    if (c.req.method === 'GET' || c.req.method === 'HEAD' || isStream(c.req.path)) return next();
    return (isBatch(c.req.path) ? batch : isSlack(c.req.path) ? form : single)(c, next);
  };
}

/** These count what they take themselves, while they pass it on. */
const isStream = (path: string): boolean => path === '/v1/files' || path.startsWith('/internal/files/');

/** Forms, of which a message takes up to three times its bytes. */
const isSlack = (path: string): boolean => path.startsWith(SLACK_API) || path.startsWith('/hooks/');
const SLACK_API = '/slack/api/';

const isBatch = (path: string): boolean => path.endsWith('/message-batches') || path === '/internal/inboxes' || path.startsWith('/v1/admin/dead-letters/');

/** Slack's clients repeat what is answered with any other status than 200. */
function refuse(c: Context<AppEnv>, problem: Problem): Response {
  return c.req.path.startsWith(SLACK_API) ? c.json(refusalOf(problem).body, 200) : problemResponse(c, problem);
}

function limiter(maxBytes: number): MiddlewareHandler<AppEnv> {
  const counted = bodyLimit({ maxSize: maxBytes, onError: (c) => refuse(c, { code: 'body_too_large', detail: `at most ${maxBytes} bytes` }) });
  return (c, next) => {
    const headers = c.req.raw.headers;
    const declared = headers.get('content-length');
    // A declared length within the limit is enforced by the platform, and needs no look at the body.
    return declared !== null && !headers.has('transfer-encoding') && Number(declared) <= maxBytes ? next() : whole(c, next, counted);
  };
}

/** 400 for chunks that break off, or are none: what fails before the next layer is asked is the reading, and no fault of ours. */
async function whole(c: Context<AppEnv>, next: Next, counted: MiddlewareHandler<AppEnv>): Promise<Response | void> {
  let isRead = false;
  const proceed = (): Promise<void> => {
    isRead = true;
    return next();
  };
  try {
    return await counted(c, proceed);
  } catch (error) {
    if (isRead) throw error;
    return refuse(c, { code: 'unreadable_body', detail: 'the body broke off' });
  }
}
