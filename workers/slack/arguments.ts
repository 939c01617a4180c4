import { z } from 'zod';
import { decimalSchema } from '../../protocol/primitives.ts';
import { SlackError } from './errors.ts';
import { recordOf } from './values.ts';

/** Arguments as they came: of a form all are strings, of JSON they may be anything. */
export type Arguments = Readonly<Record<string, unknown>>;

/** Null for a body that is neither a form nor a JSON object. Content that calls itself nothing is a form. Of an argument that is given twice the last counts. Throws `invalid_form_data` for a file. */
export async function readBodyArguments(body: string, contentType: string): Promise<Arguments | null> {
  if (isMultipart(contentType)) return readParts(body, contentType);
  if (/^multipart\//i.test(contentType)) return null;
  if (!/\bjson\b/i.test(contentType)) return Object.fromEntries(new URLSearchParams(body));
  if (body.trim() === '') return {};
  const value = jsonOf(body);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? recordOf(value) : null;
}

/** What has a name of a file is one, be it empty: no method takes any, and what would be read of it is not what was meant. */
async function readParts(body: string, contentType: string): Promise<Arguments | null> {
  const form = await new Response(body, { headers: { 'content-type': contentType } }).formData().catch(() => null);
  if (form === null) return null;
  const parts = [...form.entries()];
  const [name] = parts.find(([, value]) => typeof value !== 'string') ?? [];
  if (name !== undefined) throw new SlackError('invalid_form_data', { response_metadata: { messages: [`[ERROR] ${name.slice(0, 50)} is a file, of which no method takes any`] } });
  return Object.fromEntries(parts);
}

export const isMultipart = (contentType: string): boolean => /^multipart\/form-data\s*(?:;|$)/i.test(contentType);
export const isJson = (contentType: string): boolean => /\bjson\b/i.test(contentType);

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An argument that is empty was not given. */
export const given = (args: Arguments): Arguments => Object.fromEntries(Object.entries(args).filter(([, value]) => value !== '' && value !== null && value !== undefined));

export const textArgument = z.union([z.string(), z.number().transform(String)]);
export const flagArgument = z.union([z.boolean(), z.stringbool({ truthy: ['true', '1'], falsy: ['false', '0'] }), z.literal(1).transform(() => true), z.literal(0).transform(() => false)]);
/** Slack's `limit`: what is more than a page holds is a page. */
export const limitArgument = (usual: number, most: number) => z.union([z.int().min(1), decimalSchema(1)]).default(usual).transform((limit) => Math.min(limit, most));
/** A structure, or the same as JSON; null: it is none. */
export const structureArgument = z.unknown().transform((value) => (typeof value === 'string' ? (jsonOf(value) ?? null) : value));
