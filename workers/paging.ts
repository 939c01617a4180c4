import { z } from '@hono/zod-openapi';
import { DEFAULT_PAGE, MAX_PAGE } from '../protocol/limits.ts';
import { decimalSchema, idSchema, timeSchema } from '../protocol/primitives.ts';
import { ProblemError } from './problems.ts';

/** The `limit` of a list: at most, and as many where it says nothing. */
export const limitOf = (most: number, usual: number) => decimalSchema(1, most).default(usual).meta({ default: usual });
/** `limit` of every listing. */
export const limitSchema = limitOf(MAX_PAGE, DEFAULT_PAGE);
/** Opaque to clients; what it holds is checked by `decodeCursor`. */
export const cursorSchema = z.string().max(500).optional();

/** A cursor names its list, so that one of another list is refused rather than misread. Neither part is a secret. */
export function encodeCursor(list: string, position: string | number): string {
  const bytes = new TextEncoder().encode(`${list}\n${position}`);
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The position a cursor of this list stands for. Throws the problem `bad_cursor` for any other string. */
export function decodeCursor(list: string, cursor: string): string {
  const [found, position, ...rest] = decodeText(cursor).split('\n');
  // Postgres holds no NUL, so no position does.
  if (found !== list || position === undefined || rest.length > 0 || position.includes('\u0000')) throw badCursor();
  return position;
}

/** The same for a position that is a counter. */
export function decodeCounter(list: string, cursor: string): number {
  const position = decodeCursor(list, cursor);
  if (!/^\d{1,15}$/.test(position)) throw badCursor();
  return Number(position);
}

/** The same for a position that is an id. */
export function decodeId(list: string, cursor: string): string {
  const id = idSchema.safeParse(decodeCursor(list, cursor));
  if (!id.success) throw badCursor();
  return id.data;
}

/** Postgres knows no year 0. */
const timedSchema = z.tuple([timeSchema.refine((time) => !time.startsWith('0000')), idSchema]);

/** The same for a position that is a time and an id, with a space between. */
export function decodeTimed(list: string, cursor: string): { readonly at: string; readonly id: string } {
  const position = timedSchema.safeParse(decodeCursor(list, cursor).split(' '));
  if (!position.success) throw badCursor();
  const [at, id] = position.data;
  return { at, id };
}

const badCursor = (): ProblemError => new ProblemError({ code: 'bad_cursor' });

function decodeText(cursor: string): string {
  if (!/^[A-Za-z0-9_-]*$/.test(cursor)) throw badCursor();
  try {
    const bytes = Uint8Array.from(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')), (unit) => unit.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw badCursor();
  }
}

/** The `Link` header of a page (RFC 8288): the present URL with one cursor exchanged for another. Undefined where there is none. */
export function linkHeader(url: string, links: readonly { rel: 'prev' | 'next'; parameter: string; cursor: string | null }[]): string | undefined {
  const parts = links.flatMap(({ rel, parameter, cursor }) => (cursor === null ? [] : [`<${pageUrl(url, parameter, cursor)}>; rel="${rel}"`]));
  return parts.length > 0 ? parts.join(', ') : undefined;
}

function pageUrl(url: string, parameter: string, cursor: string): string {
  const page = new URL(url);
  for (const other of ['before', 'after', 'around', 'at', 'cursor']) page.searchParams.delete(other);
  page.searchParams.set(parameter, cursor);
  return page.pathname + page.search;
}
