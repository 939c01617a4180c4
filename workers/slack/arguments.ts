import { z } from 'zod';
import { decimalSchema } from '../../protocol/primitives.ts';
import { recordOf } from './values.ts';

/** Arguments as they came: of a form all are strings, of JSON they may be anything. */
export type Arguments = Readonly<Record<string, unknown>>;

/** Null for a body that is neither a form nor a JSON object. Content that calls itself nothing is a form. */
export function readBodyArguments(body: string, contentType: string): Arguments | null {
  if (/^multipart\//i.test(contentType)) return null;
  if (!/\bjson\b/i.test(contentType)) return Object.fromEntries(new URLSearchParams(body));
  if (body.trim() === '') return {};
  const value = jsonOf(body);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? recordOf(value) : null;
}

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
