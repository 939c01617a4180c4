import type { Actor } from '../../durable-objects/sockets/actor-api.ts';
import type { FoundCredential } from '../../db/queries/credentials.ts';
import type { NamedUser } from '../../protocol/api.ts';
import type { Scope } from '../../protocol/scopes.ts';

/** Who makes a request. */
export interface Identity {
  readonly actor: Actor;
  readonly user: NamedUser;
  readonly kind: FoundCredential['kind'];
  readonly scopes: ReadonlySet<string>;
}

export const hasScope = (identity: Identity, scope: Scope): boolean => identity.scopes.has(scope);

export function identityOf(credential: FoundCredential): Identity {
  return {
    actor: { user_id: credential.user.id, credential_id: credential.id, expires_at: credential.expires_at.getTime() },
    user: credential.user,
    kind: credential.kind,
    scopes: new Set(credential.scopes),
  };
}
