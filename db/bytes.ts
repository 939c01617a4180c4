/** Bytes as text and back, with what every runtime has. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const CHUNK = 8 * 1024;

export const encodeText = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Null for bytes that are not UTF-8: encoding what is returned gives the bytes back. */
export function decodeText(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

export function toBase64(bytes: Uint8Array): string {
  let units = '';
  for (let at = 0; at < bytes.length; at += CHUNK) units += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(units);
}

/** In lower case, as Postgres' `decode(…, 'hex')` takes it. */
export const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
