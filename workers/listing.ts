import type { Context } from 'hono';
import type { AppEnv } from './env.ts';
import { linkHeader } from './paging.ts';

/** The cursor of the next page as `Link`; null: there is none. */
export function linkNext(c: Context<AppEnv>, cursor: string | null): void {
  c.header('Link', linkHeader(c.req.url, [{ rel: 'next', parameter: 'cursor', cursor }]));
}

/** A page: the first `limit` of what was found, and the cursor behind them where more was, for which one more than `limit` is to be looked for. */
export function listingOf<T>(c: Context<AppEnv>, found: readonly T[], limit: number, cursorAt: (last: T) => string): { data: T[]; next_cursor: string | null } {
  const data = found.slice(0, limit);
  const last = found.length > limit ? data.at(-1) : undefined;
  const next_cursor = last === undefined ? null : cursorAt(last);
  linkNext(c, next_cursor);
  return { data, next_cursor };
}

/** Those of `users` who are named: the one too many that was looked for may have had an author of its own. */
export function usersNamed<U extends { readonly id: string }>(users: readonly U[], ids: readonly string[]): U[] {
  const named = new Set(ids);
  return users.filter(({ id }) => named.has(id));
}
