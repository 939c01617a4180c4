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
  const parsed = schema.safeParse(parse(decode(await received(c.req.raw.arrayBuffer()))));
  if (!parsed.success) throw new ProblemError({ code: 'invalid', errors: fieldErrors(parsed.error) });
  return parsed.data;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/**
 * The body as text, as often as it is asked for. Throws `unreadable_body` for bytes that are not UTF-8 (RFC 8259, section 8.1): the
 * platform's own `text()` and `json()` put U+FFFD in their place, and what is kept would not be what was sent.
 */
export async function readText(c: Context<AppEnv>): Promise<string> {
  const known = c.get('bodyText');
  if (known !== undefined) return known;
  const text = decode(await received(c.req.arrayBuffer()));
  c.set('bodyText', text);
  return text;
}

/** A body that breaks off: its client has gone, and no fault of ours is to be counted or logged. */
async function received(body: Promise<ArrayBuffer>): Promise<ArrayBuffer> {
  try {
    return await body;
  } catch {
    throw new ProblemError({ code: 'unreadable_body', detail: 'the body broke off' });
  }
}

function decode(bytes: ArrayBuffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ProblemError({ code: 'unreadable_body', detail: 'the body is not UTF-8' });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProblemError({ code: 'unreadable_body' });
  }
}
