import { z } from 'zod';

/**
 * What a credential may be used for. A session has all but `messages:import`; what it may really do depends on its user's role. `credentials` is for
 * seeing, making and revoking the user's other credentials.
 */
export const scopeSchema = z.enum(['messages:read', 'messages:write', 'channels:read', 'channels:write', 'webhooks', 'messages:import', 'admin', 'credentials']);
export type Scope = z.infer<typeof scopeSchema>;
/** Those of a token, where nothing else is asked for. Not `webhooks`: what it makes outlives the token. */
export const TOKEN_SCOPES = ['messages:read', 'messages:write', 'channels:read', 'channels:write'] as const satisfies readonly Scope[];
export const SESSION_SCOPES = [...TOKEN_SCOPES, 'webhooks', 'admin', 'credentials'] as const satisfies readonly Scope[];
