import type { MiddlewareHandler } from 'hono';
import type { Scope } from '../../protocol/scopes.ts';
import type { AppEnv } from '../env.ts';
import { hasScope } from '../identity/identity.ts';
import { problemResponse } from '../problems.ts';

/** 403 for a credential without the scope (RFC 6750, section 3.1). */
export function requireScope(scope: Scope): MiddlewareHandler<AppEnv> {
  const challenge = { 'WWW-Authenticate': `Bearer realm="colink", error="insufficient_scope", scope="${scope}"` };
  return async function requireScopeMiddleware(c, next) {
    if (hasScope(c.get('identity'), scope)) return next();
    return problemResponse(c, { code: 'forbidden', detail: `the credential lacks the scope ${scope}` }, challenge);
  };
}
