import { z } from 'zod';

/** What a credential may be used for. A session has all but `messages:import`. */
export const scopeSchema = z.enum(['messages:read', 'messages:write', 'channels:read', 'channels:write', 'messages:import']);
export type Scope = z.infer<typeof scopeSchema>;
export const SESSION_SCOPES = ['messages:read', 'messages:write', 'channels:read', 'channels:write'] as const satisfies readonly Scope[];
