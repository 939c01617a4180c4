import { z } from '@hono/zod-openapi';
import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { type Scope, scopeSchema } from '../../protocol/scopes.ts';

/** What is signed otherwise is refused: no `none`, and nothing by a shared secret, for which a public key could be passed off. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];
/** A token that was issued longer ago is refused, whatever it says of its end. Seconds. */
const MAX_AGE_SECONDS = 86_400;
/** By which the provider's clock may differ, in seconds. */
const TOLERANCE_SECONDS = 5;
/** How long keys are used before they are asked for again, how soon again for a key that was not there, and how long the provider may take. Milliseconds. */
const KEYS_FRESH_MS = 10 * 60_000;
const KEYS_COOLDOWN_MS = 30_000;
const KEYS_TIMEOUT_MS = 5_000;

export interface Expected {
  /** As the provider states it. */
  readonly issuer: string;
  /** Whom tokens must be for: this API, which is not the client that people sign in with, whose ID tokens would be taken here otherwise. */
  readonly audience: string;
  readonly jwksUri: string;
}

export interface AccessToken {
  /** For `personOf`. */
  readonly claims: object;
  readonly scopes: readonly Scope[];
  readonly expiresAt: Date;
}

const claimsSchema = z.looseObject({
  exp: z.number(),
  iat: z.number(),
  sub: z.string().min(1),
  /** Of RFC 8693, or as some providers have it. */
  scope: z.union([z.string(), z.array(z.string())]).default(''),
});

/** Verifies access tokens of the identity provider (RFC 9068) by its published keys. */
export class AccessTokens {
  #keys: { readonly of: string; readonly find: JWTVerifyGetKey } | null = null;

  /** Null for a token that is not to be taken. Rejects where the provider's keys cannot be had. */
  async verify(token: string, { issuer, audience, jwksUri }: Expected): Promise<AccessToken | null> {
    const options = { issuer, audience, algorithms: ALGORITHMS, requiredClaims: ['exp', 'iat', 'sub'], maxTokenAge: MAX_AGE_SECONDS, clockTolerance: TOLERANCE_SECONDS };
    try {
      const { payload } = await jwtVerify(token, this.#keysAt(jwksUri), options);
      return readClaims(payload);
    } catch (error) {
      if (isRefusal(error)) return null;
      throw error;
    }
  }

  #keysAt(uri: string): JWTVerifyGetKey {
    if (this.#keys?.of !== uri) {
      const options = { cacheMaxAge: KEYS_FRESH_MS, cooldownDuration: KEYS_COOLDOWN_MS, timeoutDuration: KEYS_TIMEOUT_MS };
      this.#keys = { of: uri, find: createRemoteJWKSet(new URL(uri), options) };
    }
    return this.#keys.find;
  }
}

function readClaims(payload: object): AccessToken | null {
  const parsed = claimsSchema.safeParse(payload);
  if (!parsed.success) return null;
  const { exp, iat, scope } = parsed.data;
  const named = new Set(typeof scope === 'string' ? scope.split(' ') : scope);
  const scopes = scopeSchema.options.filter((known) => named.has(known));
  return { claims: parsed.data, scopes, expiresAt: new Date(Math.min(exp, iat + MAX_AGE_SECONDS) * 1_000) };
}

/** Whether the token is at fault, rather than the way to the provider's keys. */
const isRefusal = (error: unknown): boolean => error instanceof errors.JOSEError && error.code !== 'ERR_JOSE_GENERIC' && !(error instanceof errors.JWKSTimeout) && !(error instanceof errors.JWKSInvalid);
