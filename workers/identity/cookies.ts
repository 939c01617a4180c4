import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';

/**
 * The `__Host-` prefix makes browsers refuse these cookies from subdomains, from plain http, and for another path, so nobody but this origin can
 * have set them. `Lax`: they come with a navigation from elsewhere, never with a request that a foreign page makes.
 */
const OPTIONS = { path: '/', httpOnly: true, secure: true, sameSite: 'Lax' } as const;
const SESSION = '__Host-colink';
const LOGIN = '__Host-colink-login';

/** Seconds a sign-in at the provider may take. */
const LOGIN_SECONDS = 600;

const setter = (name: string) => (c: Context, value: string, maxAge: number): void => setCookie(c, name, value, { ...OPTIONS, maxAge });
const clear = (name: string) => (c: Context): void => setCookie(c, name, '', { ...OPTIONS, maxAge: 0 });

export const readSessionCookie = (c: Context): string | undefined => (c.req.raw.headers.has('cookie') ? getCookie(c, SESSION) : undefined);
export const setSessionCookie = setter(SESSION);
export const clearSessionCookie = clear(SESSION);

export const readLoginCookie = (c: Context): string | undefined => getCookie(c, LOGIN);
export const setLoginCookie = (c: Context, value: string): void => setter(LOGIN)(c, value, LOGIN_SECONDS);
export const clearLoginCookie = clear(LOGIN);
