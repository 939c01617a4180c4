import { idSchema } from '../protocol/primitives.ts';
import { decodeText } from './bytes.ts';

/** `ce_type` of a record: the event's name and the major version of its shape. */
export const CE_TYPE = /^colink\.([a-z_]+(?:\.[a-z_]+)+)\.v([0-9]{1,4})$/;
const POSITION = /^[1-9][0-9]{0,15}$/;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** What of an untrusted record names and places it, and its JSON. Null (undefined for JSON) for what is missing or malformed; nothing throws. */
export function parseKey(key: Uint8Array | null): string | null {
  const parsed = idSchema.safeParse(key && decodeText(key));
  return parsed.success ? parsed.data : null;
}

export const parsePosition = (header: string | null): number | null => (header !== null && POSITION.test(header) ? Number(header) : null);

export function parseJson(value: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(value));
  } catch {
    return undefined;
  }
}
