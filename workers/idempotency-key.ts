import { ProblemError } from './problems.ts';

/**
 * The `Idempotency-Key` of a request (draft-ietf-httpapi-idempotency-key-header-07): a structured string, so in quotes; bare ones are taken
 * too, as most clients send them. Null for none. Throws `invalid` for one that is empty, over 255 characters, or not visible ASCII.
 */
export function idempotencyKey(headers: Headers): string | null {
  const header = headers.get('idempotency-key');
  if (header === null) return null;
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  if (/^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/.test(key)) return key;
  throw new ProblemError({ code: 'invalid', detail: 'Idempotency-Key must be 1 to 255 visible ASCII characters, in quotes or bare' });
}
