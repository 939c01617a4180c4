import type { Scope } from '../../protocol/scopes.ts';
import { hasScope } from '../identity/identity.ts';
import { problemResponse } from '../problems.ts';
import type { Guard } from './guard.ts';

/** 403 for a credential without the scope (RFC 6750, section 3.1). */
export function requireScope(scope: Scope): Guard {
  const challenge = { 'WWW-Authenticate': `Bearer realm="colink", error="insufficient_scope", scope="${scope}"` };
  return (c) => {
    if (hasScope(c.get('identity'), scope)) return null;
    return problemResponse(c, { code: 'forbidden', detail: `the credential lacks the scope ${scope}` }, challenge);
  };
}
