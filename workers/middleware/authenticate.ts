import type { Context, MiddlewareHandler, Next } from 'hono';
import { findCredential, touchCredential } from '../../db/queries/credentials.ts';
import type { AppEnv } from '../env.ts';
import { readSessionCookie } from '../identity/cookies.ts';
import { identityOf, type Identity } from '../identity/identity.ts';
import { verifyAccessToken } from '../identity/verify-access-token.ts';
import { personOf } from '../identity/claims.ts';
import { enter } from '../identity/enter.ts';
import { hashSecret, looksLikeJwt, looksLikeSecret } from '../identity/secret.ts';
import { withPostgres } from '../postgres.ts';
import { ProblemError } from '../problems.ts';
import type { Services } from '../services.ts';

/** The secret a request brings: its bearer token, else its session cookie. Undefined for neither. */
export function secretOf(c: Context<AppEnv>): string | undefined {
  const authorization = c.req.raw.headers.get('authorization');
  return authorization === null ? readSessionCookie(c) : (/^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '');
}

const refusal = (detail: string): ProblemError =>
  new ProblemError({ code: 'unauthenticated', detail }, { 'WWW-Authenticate': 'Bearer realm="colink", error="invalid_token"' });

export type IdentityServices = Pick<Services, 'identities' | 'provider' | 'accessTokens'>;

/** Who makes the request. Throws `unauthenticated` for a missing, unknown, expired or revoked credential, `unavailable` where none can be looked up. */
export function identify(c: Context<AppEnv>, services: IdentityServices): Identity | Promise<Identity> {
  const secret = secretOf(c);
  if (secret === undefined) throw new ProblemError({ code: 'unauthenticated' });
  return identifyBearer(c, services, secret);
}

/** The same for a bearer token, wherever in the request it was. */
export function identifyBearer(c: Context<AppEnv>, services: IdentityServices, secret: string): Identity | Promise<Identity> {
  const load = loaderOf(secret, services);
  if (load === null) throw refusal('the credential is malformed');
  const known = services.identities.peek(secret);
  return known === undefined ? services.identities.find(secret, (wanted) => load(c, wanted)).then(must) : must(known);
}

/** Who posts by an incoming webhook; null: it is unknown or revoked. */
export async function identifyHook(c: Context<AppEnv>, { identities }: IdentityServices, secret: string): Promise<Identity | null> {
  return identities.peek(secret) ?? identities.find(secret, async (wanted) => loadKnown(c, await hashSecret(wanted)));
}

function must(identity: Identity | null): Identity {
  if (identity === null) throw refusal('the credential is unknown, expired or revoked');
  return identity;
}

type Loader = (c: Context<AppEnv>, secret: string) => Promise<Identity | null>;

function loaderOf(secret: string, services: IdentityServices): Loader | null {
  if (looksLikeSecret(secret)) return async (c, wanted) => loadKnown(c, await hashSecret(wanted));
  return looksLikeJwt(secret) ? (c, wanted) => loadAccessToken(c, wanted, services) : null;
}

async function loadKnown(c: Context<AppEnv>, hash: Uint8Array): Promise<Identity | null> {
  return withPostgres(c, async (db) => {
    const credential = await findCredential(db, hash);
    if (credential) await touchCredential(db, credential, new Date());
    return credential && identityOf(credential);
  });
}

/** The first time its user is let in, and it becomes a credential like any other. It is verified each time: a key that the provider gives up is good no longer. */
async function loadAccessToken(c: Context<AppEnv>, token: string, { provider, accessTokens }: IdentityServices): Promise<Identity | null> {
  const accepted = await verifyAccessToken(c.env, token, provider, accessTokens);
  // Thrown, not returned: what anybody can make up is not to be remembered in place of who is real.
  if (accepted === null) throw refusal('the access token is not one of this provider for this API, or has expired');
  const secret_hash = await hashSecret(token);
  const known = await loadKnown(c, secret_hash);
  if (known) return known;
  const { claims, scopes, expiresAt } = accepted;
  await enter(c, personOf(claims), { secret_hash, kind: 'provider', name: 'access token', scopes, expires_at: expiresAt });
  return loadKnown(c, secret_hash);
}

async function proceed(c: Context<AppEnv>, identity: Promise<Identity>, next: Next): Promise<void> {
  c.set('identity', await identity);
  await next();
}

/** Sets `identity`, or answers 401. */
export function authenticate(services: IdentityServices): MiddlewareHandler<AppEnv> {
  return function authenticateMiddleware(c, next) {
    const identity = identify(c, services);
    if (identity instanceof Promise) return proceed(c, identity, next);
    c.set('identity', identity);
    return next();
  };
}
