import { z } from '@hono/zod-openapi';
import { MAX_DISPLAY_NAME, MAX_HANDLE } from '../../protocol/limits.ts';
import { isReservedHandle, nearestLine } from '../../protocol/names.ts';

/** The claims of an ID token that make a user. Whatever the provider leaves out or mangles has a stand-in. */
const claimsSchema = z.object({
  iss: z.url(),
  sub: z.string().min(1).max(255),
  preferred_username: z.string().optional().catch(undefined),
  name: z.string().optional().catch(undefined),
  email: z.string().optional().catch(undefined),
  email_verified: z.union([z.boolean(), z.stringbool({ truthy: ['true'], falsy: ['false'], case: 'sensitive' })]).optional().catch(undefined),
});

export interface Person {
  readonly issuer: string;
  readonly subject: string;
  readonly handles: Iterable<string>;
  readonly display_name: string;
  readonly unnamed: boolean;
  /** The address that the provider has verified; null: it says that it has verified none; undefined: it says nothing of one. */
  readonly email: string | null | undefined;
}

export function personOf(claims: unknown): Person {
  const { iss, sub, preferred_username, name, email, email_verified } = claimsSchema.parse(claims);
  const wished = preferred_username ?? email?.split('@')[0] ?? name ?? '';
  const displayed = displayable(name ?? preferred_username ?? '');
  return { issuer: iss, subject: sub, handles: handlesOf(wished), display_name: displayed || toHandle(wished), unnamed: displayed === '', email: verifiedAddress(email, email_verified) };
}

const MAX_ADDRESS = 254;
/** One address, without anything that a header of a mail could take for more: no quoted names, no lists, no comments. */
const ADDRESS = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+$/;

/** Nobody is mailed at an address that they might have made up. */
function verifiedAddress(email: string | undefined, isVerified: boolean | undefined): string | null | undefined {
  if (email === undefined && isVerified === undefined) return undefined;
  return email !== undefined && isVerified === true && email.length <= MAX_ADDRESS && ADDRESS.test(email) ? email : null;
}

/** Handles to try in turn: the wished one, unless it mentions many, then with a number, then with random digits. */
export function* handlesOf(wished: string, random: () => number = Math.random): Generator<string> {
  const base = toHandle(wished);
  if (!isReservedHandle(base)) yield base;
  for (let n = 2; n <= 9; n++) yield `${base}-${n}`;
  for (let n = 0; n < 10; n++) yield `${base}-${Math.floor(random() * 1e9)}`;
}

function toHandle(wished: string): string {
  const plain = wished.normalize('NFKD').toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '');
  return plain.slice(0, MAX_HANDLE).replaceAll(/^[._-]+|[._-]+$/g, '') || 'user';
}

/** As a user might call themselves: whoever chooses their name at the provider is not to look like somebody else here. */
const displayable = (text: string): string => nearestLine(nearestLine(text).slice(0, MAX_DISPLAY_NAME));
