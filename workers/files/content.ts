import type { Context } from 'hono';
import type { FileState } from '../../protocol/files.ts';
import type { AppEnv } from '../env.ts';
import { ProblemError } from '../problems.ts';
import { contentKey, thumbnailKey } from './store.ts';

/** Bytes of a content, both ends in it. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/**
 * The one range that a `Range` header asks for (RFC 9110, section 14). Null for none, for several, and for a header of another form: then all is
 * served. `unsatisfiable`: the content has nothing there.
 */
export function parseRange(header: string | null, size: number): Range | 'unsatisfiable' | null {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (from === '' && to === '') return null;
  if (from === '') return Number(to) === 0 ? 'unsatisfiable' : { first: Math.max(0, size - Number(to)), last: size - 1 };
  if (to !== '' && Number(to) < Number(from)) return null;
  if (Number(from) >= size) return 'unsatisfiable';
  return { first: Number(from), last: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}

/** Whether an `If-None-Match` names the tag: it compares weakly. */
export const matches = (header: string | null, etag: string): boolean =>
  header !== null && (header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag));

/**
 * What people uploaded is data to a browser: it is saved, not shown, guessed at or run. It is asked for again each time, so that who has lost the
 * right to it gets nothing from a cache.
 */
const GUARDED = {
  'Cache-Control': 'private, no-cache',
  'Content-Security-Policy': "default-src 'none'; sandbox; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
} as const;

/** Names beyond ASCII are told twice (RFC 6266): as they are, and for clients that cannot read that. */
function disposition(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const exact = encodeURIComponent(name).replaceAll(/['()*!]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}

function refuseUnclean({ status }: FileState): void {
  if (status === 'pending_scan') throw new ProblemError({ code: 'file_not_clean', retry_after: 2 });
  if (status === 'infected') throw new ProblemError({ code: 'file_infected' });
}

/** A clean file, or a range of it; 304 where the client has it. Throws `file_not_clean`, `file_infected` or `range_not_satisfiable`. */
export async function serveContent(c: Context<AppEnv>, file: FileState): Promise<Response> {
  refuseUnclean(file);
  const etag = `"${file.sha256}"`;
  const requested = c.req.raw.headers;
  const headers = { ...GUARDED, ETag: etag, 'Accept-Ranges': 'bytes', 'Content-Disposition': disposition(file.name), 'Content-Type': file.media_type };
  if (matches(requested.get('if-none-match'), etag)) return c.body(null, 304, { ...GUARDED, ETag: etag });
  const isCurrent = (requested.get('if-range') ?? etag) === etag;
  const range = isCurrent ? parseRange(requested.get('range'), file.size) : null;
  if (range === 'unsatisfiable') throw new ProblemError({ code: 'range_not_satisfiable' }, { 'Content-Range': `bytes */${file.size}` });
  const body = await open(c, contentKey(file.id), range);
  if (range === null) return new Response(body, { headers: { ...headers, 'Content-Length': String(file.size) } });
  const { first, last } = range;
  return new Response(body, { status: 206, headers: { ...headers, 'Content-Length': String(last - first + 1), 'Content-Range': `bytes ${first}-${last}/${file.size}` } });
}

/** A thumbnail, as a page may show it. Throws as `serveContent`, and `not_found` where the file has none of that size. */
export async function serveThumbnail(c: Context<AppEnv>, file: FileState, asked: string): Promise<Response> {
  refuseUnclean(file);
  const size = file.thumbnails.find((thumbnail) => String(thumbnail.size) === asked)?.size;
  if (size === undefined) throw new ProblemError({ code: 'not_found', detail: 'the file has no thumbnail of this size' });
  const etag = `"${file.sha256}-${size}"`;
  if (matches(c.req.raw.headers.get('if-none-match'), etag)) return c.body(null, 304, { ...GUARDED, ETag: etag });
  const body = await open(c, thumbnailKey(file.id, size), null);
  return new Response(body, { headers: { ...GUARDED, ETag: etag, 'Content-Type': 'image/webp' } });
}

const WEEK_SECONDS = 604_800;

/** A picture of a user is the smallest thumbnail of this size or more, else the largest. By an address that names the file it stays what it is, and browsers need not ask again. */
export async function serveAvatar(c: Context<AppEnv>, file: FileState, { size, isNamed }: { readonly size: number; readonly isNamed: boolean }): Promise<Response> {
  const chosen = file.thumbnails.find((thumbnail) => thumbnail.size >= size) ?? file.thumbnails.at(-1);
  if (!chosen) throw new ProblemError({ code: 'not_found' });
  const answer = await serveThumbnail(c, file, String(chosen.size));
  if (isNamed) answer.headers.set('Cache-Control', `private, max-age=${WEEK_SECONDS}, immutable`);
  return answer;
}

async function open(c: Context<AppEnv>, key: string, range: Range | null): Promise<ReadableStream | null> {
  // The framework answers a HEAD by its GET, and throws the body away.
  if (c.req.raw.method === 'HEAD') return null;
  const object = await c.env.FILES.get(key, range === null ? {} : { range: { offset: range.first, length: range.last - range.first + 1 } });
  if (object === null) throw new ProblemError({ code: 'unavailable', detail: 'the content cannot be found now' });
  return object.body;
}
