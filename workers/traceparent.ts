import type { Context } from 'hono';
import type { Actor } from '../durable-objects/sockets/actor-api.ts';
import type { AppEnv } from './env.ts';

/** The caller's trace context (W3C Trace Context, version 00); null for none, and for one that is not well-formed. */
export function traceparentOf(headers: Headers): string | null {
  const header = headers.get('traceparent');
  return header !== null && /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(header) ? header : null;
}

/** Who makes the request, for a room or an inbox that it changes: what that appends bears the request's trace context. */
export function tracedActor(c: Context<AppEnv>): Actor {
  const { actor } = c.get('identity');
  const traceparent = traceparentOf(c.req.raw.headers);
  return traceparent === null ? actor : { ...actor, traceparent };
}
