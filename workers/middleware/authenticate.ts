import type { Context, MiddlewareHandler, Next } from 'hono';
import { findCredential } from '../../db/queries/credentials.ts';
import type { AppEnv } from '../env.ts';
import { readSessionCookie } from '../identity/cookies.ts';
import { identityOf, type Identity } from '../identity/identity.ts';
import type { IdentityCache } from '../identity/identity-cache.ts';
import { hashSecret, looksLikeSecret } from '../identity/secret.ts';
import { withPostgres } from '../postgres.ts';
import { ProblemError } from '../problems.ts';

/** The secret a request brings: its bearer token, else its session cookie. Undefined for neither. */
export function secretOf(c: Context<AppEnv>): string | undefined {
  const authorization = c.req.raw.headers.get('authorization');
  return authorization === null ? readSessionCookie(c) : (/^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '');
}

const refusal = (detail: string): ProblemError =>
  new ProblemError({ code: 'unauthenticated', detail }, { 'WWW-Authenticate': 'Bearer realm="colink", error="invalid_token"' });

/** Who makes the request. Throws `unauthenticated` for a missing, unknown, expired or revoked credential, `unavailable` where none can be looked up. */
export function identify(c: Context<AppEnv>, identities: IdentityCache): Identity | Promise<Identity> {
  const secret = secretOf(c);
  if (secret === undefined) throw new ProblemError({ code: 'unauthenticated' });
  if (!looksLikeSecret(secret)) throw refusal('the credential is malformed');
  const known = identities.peek(secret);
  return known === undefined ? identities.find(secret, (wanted) => load(c, wanted)).then(must) : must(known);
}

function must(identity: Identity | null): Identity {
  if (identity === null) throw refusal('the credential is unknown, expired or revoked');
  return identity;
}

async function load(c: Context<AppEnv>, secret: string): Promise<Identity | null> {
  const hash = await hashSecret(secret);
  const credential = await withPostgres(c, (db) => findCredential(db, hash));
  return credential && identityOf(credential);
}

async function proceed(c: Context<AppEnv>, identity: Promise<Identity>, next: Next): Promise<void> {
  c.set('identity', await identity);
  await next();
}

/** Sets `identity`, or answers 401. */
export function authenticate(identities: IdentityCache): MiddlewareHandler<AppEnv> {
  return function authenticateMiddleware(c, next) {
    const identity = identify(c, identities);
    if (identity instanceof Promise) return proceed(c, identity, next);
    c.set('identity', identity);
    return next();
  };
}
