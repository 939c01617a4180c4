import type { Context } from 'hono';
import type { AppEnv } from './env.ts';

/** Whether a page of this origin may act here: the Worker's own, and those of `ALLOWED_ORIGINS`. */
export const isAllowedOrigin = (c: Context<AppEnv>, origin: string): boolean => isOwnOrigin(c, origin) || listed(c.env.ALLOWED_ORIGINS).has(origin);

const isOwnOrigin = (c: Context<AppEnv>, origin: string): boolean => c.req.url.startsWith(`${origin}/`);

let parsed: { readonly from: string; readonly origins: ReadonlySet<string> } = { from: '', origins: new Set() };

function listed(list: string): ReadonlySet<string> {
  if (parsed.from !== list) parsed = { from: list, origins: new Set(list.split(',').map((origin) => origin.trim()).filter((origin) => origin !== '')) };
  return parsed.origins;
}
