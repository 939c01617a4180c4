import type { Actor } from './actor-api.ts';

/** Whose sockets: of a user, of a credential, or of everybody. */
export type Whose = { readonly user_id: string } | { readonly credential_id: string } | 'everybody';

export function isOf(whose: Whose, actor: Actor): boolean {
  if (whose === 'everybody') return true;
  return 'user_id' in whose ? whose.user_id === actor.user_id : whose.credential_id === actor.credential_id;
}
