import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Channel, DirectChannel } from '../protocol/api.ts';
import { keyHeader } from './api-route.ts';
import type { AppEnv } from './env.ts';
import { ProblemError } from './problems.ts';

/**
 * An ETag in `If-Match`. A weak one is taken, though RFC 9110 (section 13.1.1) has them differ from all: what compresses an answer on its way, as the platform does
 * (<https://developers.cloudflare.com/cache/reference/etag-headers/>, 2026-11), makes its ETag weak, and a version is the same in each encoding.
 */
const versionTag = (version: string): string => String.raw`(?:W/)?"${version}"`;
const numberOf = (tag: string): number => Number.parseInt(tag.replace(/^(?:W\/)?"/, ''), 10);

/** Headers of a change that needs the ETag of what it changes. That it is there is checked by `expectedVersion`, whose refusal is 428. `version`: as the source of an expression. */
export const requiredMatch = (version: string, description: string) =>
  keyHeader.extend({
    'if-match': z
      .string()
      .regex(new RegExp(`^${versionTag(version)}$`), 'must be an ETag of this resource')
      .optional()
      .openapi({ description, example: '"1"', param: { required: true } }),
  });

/** Of a channel it also has the caller's role. */
export const settingsHeaders = requiredMatch(String.raw`\d{1,9}(?:\.[a-z]{1,10})?`, 'The ETag of the settings that are to be changed');

/** Throws `precondition_required` where there is none. */
export function expectedVersion(headers: z.infer<typeof settingsHeaders>): number {
  const match = headers['if-match'];
  if (match === undefined) throw new ProblemError({ code: 'precondition_required' });
  return numberOf(match);
}

/**
 * Headers of a change that goes by an ETag where one is given. An empty `If-Match` is none: it is as if it were not there when it gets here (workerd leaves out what it
 * knows by name and is empty, 2026-11), so the document lets it pass.
 */
export const optionalMatch = (digits: number, rule: string, description: string) =>
  keyHeader.extend({ 'if-match': z.string().regex(new RegExp(`^(?:${versionTag(String.raw`\d{1,${digits}}`)})?$`), rule).optional().openapi({ description, example: '"1"' }) });

/** Null: whichever there is. */
export function matchedVersion({ 'if-match': match = '' }: { readonly 'if-match'?: string | undefined }): number | null {
  return match === '' ? null : numberOf(match);
}

/** For reads that answer 304 to who has it already. Whatever it is, it is taken. */
export const knownHeader = z.object({ 'if-none-match': z.string().optional().openapi({ description: 'ETags that the caller has: where it is one of them, the answer is 304' }) });

/** Whether the caller has what this is the ETag of. Compared weakly (RFC 9110, section 13.1.2). */
export function isKnown(c: Context<AppEnv>, etag: string): boolean {
  const known = c.req.raw.headers.get('if-none-match');
  return known !== null && known.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}

/** As the caller sees it, thus with their role in it; a change of the channel asks for the version alone. */
export const channelEtag = (channel: Channel | DirectChannel): string => (channel.kind === 'direct' ? '"1"' : `"${channel.version}.${channel.my_role ?? 'none'}"`);

export const etagOf = ({ version }: { readonly version: number }): string => `"${version}"`;
