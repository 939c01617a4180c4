import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { html } from 'hono/html';
import { revokeCredential } from '../../db/queries/credentials.ts';
import type { SignIn } from '../../db/queries/users.ts';
import { ERRORS, type ErrorCode, type Problem } from '../../protocol/errors.ts';
import { SESSION_SCOPES } from '../../protocol/scopes.ts';
import { problemAnswer } from '../api-route.ts';
import { forgetProfile } from '../cache/forget-profile.ts';
import type { App, AppEnv } from '../env.ts';
import { answerHtml } from '../html-page.ts';
import { personOf } from '../identity/claims.ts';
import { clearLoginCookie, clearSessionCookie, readLoginCookie, setLoginCookie, setSessionCookie } from '../identity/cookies.ts';
import { deviceName } from '../identity/device-name.ts';
import { enter } from '../identity/enter.ts';
import { decodeLoginState, encodeLoginState, LOCAL_PATH_PATTERN, localPath, type LoginState } from '../identity/login-state.ts';
import { isRefusal, providerSettings, type Provider, type ProviderSettings } from '../identity/provider.ts';
import { hashSecret, looksLikeJwt, looksLikeSecret, mintSecret } from '../identity/secret.ts';
import { secretOf } from '../middleware/authenticate.ts';
import { inTransaction } from '../postgres.ts';
import { answerError, headersOf, ProblemError, problemOf } from '../problems.ts';
import { endAccess } from '../revocation.ts';
import type { Services } from '../services.ts';
import { traceparentOf } from '../traceparent.ts';

/** Life of a browser's session. */
const SESSION_SECONDS = 14 * 86_400;

/** Browsers come here by themselves, so whoever asks for a page is told by one. */
const problemOrPage = (code: ErrorCode) => {
  const { content, description } = problemAnswer(code);
  return { content: { ...content, 'text/html': { schema: z.string(), example: '<!doctype html>' } }, description };
};

const login = createRoute({
  path: '/auth/login',
  method: 'get',
  summary: 'Sign in: sends the browser to the identity provider',
  request: { query: z.object({ return_to: z.string().default('/').refine((path) => localPath(path) !== null, 'must be a path of this site').openapi({ pattern: LOCAL_PATH_PATTERN, example: '/' }) }) },
  responses: { 302: { description: 'To the provider' }, 422: problemAnswer('invalid'), 503: problemOrPage('unavailable') },
});

const callback = createRoute({
  path: '/auth/callback',
  method: 'get',
  summary: 'Where the identity provider sends the browser back to; sets the session cookie',
  responses: {
    303: { description: 'To where the sign-in began' },
    401: problemOrPage('unauthenticated'),
    403: problemOrPage('forbidden'),
    409: problemOrPage('conflict'),
    503: problemOrPage('unavailable'),
  },
});

const logout = createRoute({
  path: '/auth/logout',
  method: 'post',
  summary: 'Sign out: when this returns the credential has no access left, live sockets included',
  security: [{ session: [] }, { bearer: [] }],
  responses: { 204: { description: 'Signed out' }, 401: problemAnswer('unauthenticated'), 503: problemAnswer('unavailable') },
});

export function sessionRoutes(services: Pick<Services, 'provider' | 'identities' | 'profiles' | 'redisBreaker'>): App {
  const { provider, identities } = services;
  const app = new OpenAPIHono<AppEnv>();
  app.onError((error, c) => (wantsPage(c) ? answerPage(c, error) : answerError(error, c)));

  app.openapi(login, async (c) => {
    const redirectUri = new URL('/auth/callback', c.req.url).href;
    const { return_to } = c.req.valid('query');
    const { url, login: state } = await asked(provider.begin(settingsOf(c), redirectUri, return_to));
    setLoginCookie(c, encodeLoginState(state));
    return c.redirect(url.href, 302);
  });

  app.openapi(callback, async (c) => {
    const state = decodeLoginState(readLoginCookie(c));
    clearLoginCookie(c);
    if (state === null) throw new ProblemError({ code: 'unauthenticated', detail: 'the sign-in took too long, or began in another browser' });
    const { secret, userId } = await openSession(c, await identifyPerson(c, provider, settingsOf(c), state));
    // The provider may have given the user another name.
    await forgetProfile(c, services, userId);
    setSessionCookie(c, secret, SESSION_SECONDS);
    return c.redirect(state.return_to, 303);
  });

  app.openapi(logout, async (c) => {
    const secret = secretOf(c);
    clearSessionCookie(c);
    if (secret === undefined || !(looksLikeSecret(secret) || looksLikeJwt(secret))) throw new ProblemError({ code: 'unauthenticated' });
    const hash = await hashSecret(secret);
    const revoked = await inTransaction(c, (tx) => revokeCredential(tx, hash, { now: new Date(), traceparent: traceparentOf(c.req.raw.headers) }));
    if (!revoked) throw new ProblemError({ code: 'unauthenticated' });
    identities.forget(secret);
    await endAccess(c, revoked);
    return c.body(null, 204);
  });

  return app;
}

const wantsPage = (c: Context<AppEnv>): boolean => c.req.method === 'GET' && /\btext\/html\b/.test(c.req.raw.headers.get('accept') ?? '');

/** Why it did not work, with the status that a program is told. */
function answerPage(c: Context<AppEnv>, error: Error): Response | Promise<Response> {
  const problem = problemOf(error, c);
  for (const [name, value] of Object.entries(headersOf(problem))) c.header(name, value);
  const [title, reason] = explanationOf(problem);
  return answerHtml(c, html`<h1>${title}</h1><p>${reason}</p><p><a href="/auth/login">Try again</a></p>`, ERRORS[problem.code].status);
}

function explanationOf({ code, detail }: Problem): readonly [title: string, reason: string] {
  if (code === 'forbidden') return ['You have no access', 'An administrator has ended it, and can give it back.'];
  return ['Signing in did not work', detail === undefined ? 'Try again in a moment.' : `Why: ${detail}.`];
}

function settingsOf(c: Context<AppEnv>): ProviderSettings {
  const settings = providerSettings(c.env);
  if (settings === null) throw new ProblemError({ code: 'unavailable', detail: 'no identity provider is configured' });
  return settings;
}

/** What the provider says, or the problem of not being able to ask it. */
async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    console.warn(JSON.stringify({ level: 'warn', event: 'sign_in_failed', error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }));
    if (isRefusal(error)) throw new ProblemError({ code: 'unauthenticated', detail: 'the identity provider did not confirm the sign-in' });
    throw new ProblemError({ code: 'unavailable', detail: 'the identity provider cannot be reached' });
  }
}

async function identifyPerson(c: Context<AppEnv>, provider: Provider, settings: ProviderSettings, state: LoginState): Promise<SignIn> {
  return personOf(await asked(provider.finish(settings, new URL(c.req.url), state)));
}

/** A session for the user, made or refreshed. Its secret is kept nowhere. */
async function openSession(c: Context<AppEnv>, person: SignIn): Promise<{ secret: string; userId: string }> {
  const secret = mintSecret('session');
  const secret_hash = await hashSecret(secret);
  const name = deviceName(c.req.raw.headers.get('user-agent'));
  const expires_at = new Date(Date.now() + SESSION_SECONDS * 1_000);
  const { userId } = await enter(c, person, { secret_hash, kind: 'session', name, scopes: SESSION_SCOPES, expires_at });
  return { secret, userId };
}
