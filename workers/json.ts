import type { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { fieldErrors } from '../protocol/errors.ts';
import type { AppEnv } from './env.ts';
import { ProblemError } from './problems.ts';

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

/**
 * The body of a request by its schema, for routes that cannot afford the framework's validators. Throws `unsupported_media_type`,
 * `unreadable_body` or `invalid`, just as they do.
 */
export async function readBody<S extends z.ZodType>(c: Context<AppEnv>, schema: S): Promise<z.infer<S>> {
  if (!JSON_TYPE.test(c.req.raw.headers.get('content-type') ?? '')) throw new ProblemError({ code: 'unsupported_media_type' });
  const parsed = schema.safeParse(parse(await c.req.text()));
  if (!parsed.success) throw new ProblemError({ code: 'invalid', errors: fieldErrors(parsed.error) });
  return parsed.data;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProblemError({ code: 'unreadable_body' });
  }
}
