import { z } from '@hono/zod-openapi';
import { keyHeader } from './api-route.ts';
import { ProblemError } from './problems.ts';

/** Headers of a change of settings: it needs the ETag of what it changes. That it is there is checked by `expectedVersion`, whose refusal is 428. */
export const settingsHeaders = keyHeader.extend({
  'if-match': z
    .string()
    .regex(/^"\d{1,9}"$/, 'must be an ETag of this resource')
    .optional()
    .openapi({ description: 'The ETag of the settings that are to be changed', param: { required: true } }),
});

/** Throws `precondition_required` where there is none. */
export function expectedVersion(headers: z.infer<typeof settingsHeaders>): number {
  const match = headers['if-match'];
  if (match === undefined) throw new ProblemError({ code: 'precondition_required' });
  return Number(match.slice(1, -1));
}

export const etagOf = ({ version }: { readonly version: number }): string => `"${version}"`;
