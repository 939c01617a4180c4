import { z } from '@hono/zod-openapi';

/** The claims of an ID token that make a user. Whatever the provider leaves out or mangles has a stand-in. */
const claimsSchema = z.object({
  iss: z.url(),
  sub: z.string().min(1).max(255),
  preferred_username: z.string().optional().catch(undefined),
  name: z.string().optional().catch(undefined),
  email: z.string().optional().catch(undefined),
});

export interface Person {
  readonly issuer: string;
  readonly subject: string;
  readonly handles: Iterable<string>;
  readonly display_name: string;
  readonly unnamed: boolean;
}

export function personOf(claims: unknown): Person {
  const { iss, sub, preferred_username, name, email } = claimsSchema.parse(claims);
  const wished = preferred_username ?? email?.split('@')[0] ?? name ?? '';
  const displayed = storable(name ?? preferred_username ?? '');
  return { issuer: iss, subject: sub, handles: handlesOf(wished), display_name: displayed || toHandle(wished), unnamed: displayed === '' };
}

const MAX_HANDLE = 32;
const MAX_DISPLAY_NAME = 80;

/** Handles to try in turn: the wished one, then with a number, then with random digits. */
export function* handlesOf(wished: string, random: () => number = Math.random): Generator<string> {
  const base = toHandle(wished);
  yield base;
  for (let n = 2; n <= 9; n++) yield `${base}-${n}`;
  for (let n = 0; n < 10; n++) yield `${base}-${Math.floor(random() * 1e9)}`;
}

function toHandle(wished: string): string {
  const plain = wished.normalize('NFKD').toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '');
  return plain.slice(0, MAX_HANDLE).replaceAll(/^[._-]+|[._-]+$/g, '') || 'user';
}

/** Postgres holds neither NUL nor lone surrogates; a line is for one line. */
const storable = (text: string): string => text.toWellFormed().replaceAll(/\p{Cc}+/gu, ' ').trim().slice(0, MAX_DISPLAY_NAME).toWellFormed();
