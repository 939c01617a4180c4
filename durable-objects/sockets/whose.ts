import type { Actor } from './actor-api.ts';

/** Whose sockets: of a user, or of a credential. */
export type Whose = { readonly user_id: string } | { readonly credential_id: string };

export function isOf(whose: Whose, actor: Actor): boolean {
  return 'user_id' in whose ? whose.user_id === actor.user_id : whose.credential_id === actor.credential_id;
}
