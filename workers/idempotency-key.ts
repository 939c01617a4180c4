import { ProblemError } from './problems.ts';

/** 1 to 255 visible ASCII characters but quotes and backslashes; in quotes or bare. */
export const KEY_FORM = /^(?:"[\x21\x23-\x5b\x5d-\x7e]{1,255}"|[\x21\x23-\x5b\x5d-\x7e]{1,255})$/;
export const KEY_RULE = 'must be 1 to 255 visible ASCII characters, in quotes or bare';

/**
 * The `Idempotency-Key` of a request (draft-ietf-httpapi-idempotency-key-header-07): a structured string, so in quotes; bare ones are taken
 * too, as most clients send them. Null for none. Throws `invalid` for one of another form.
 */
export function idempotencyKey(headers: Headers): string | null {
  const header = headers.get('idempotency-key');
  if (header === null) return null;
  if (!KEY_FORM.test(header)) throw new ProblemError({ code: 'invalid', detail: `Idempotency-Key ${KEY_RULE}` });
  return header.startsWith('"') ? header.slice(1, -1) : header;
}
