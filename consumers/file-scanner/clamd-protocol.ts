/** The part of clamd's protocol that Colink speaks (`man clamd`, 1.4): commands and replies end in NUL, content goes in chunks behind their length. */

export const PING = command('PING');
export const INSTREAM = command('INSTREAM');
/** Longest reply that is read, in bytes: they are a line with the name of a signature. */
export const MAX_REPLY_BYTES = 4_096;

function command(name: string): Buffer {
  return Buffer.from(`z${name}\0`);
}

/** What goes before a chunk of so many bytes. An empty one would end the stream: there is none before the end. */
export function chunkHeader(bytes: number): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(bytes);
  return header;
}

export const STREAM_END = chunkHeader(0);

/**
 * `unscannable`: it is of a kind or size that clamd will not look through, now or later. `failed`: it says that it could not scan this once.
 * `overtaxed`: it says that it lacks memory, disk or time itself. `nonsense`: whatever answers is no clamd.
 */
export type ClamdReply =
  | { readonly kind: 'clean' }
  | { readonly kind: 'infected'; readonly signature: string }
  | { readonly kind: 'unscannable' | 'failed' | 'overtaxed' | 'nonsense'; readonly reason: string };

/** clamd passes over what its limits leave out, and says so by a heuristic alert where `AlertExceedsMax` is on. */
const LIMITS = /^Heuristics\.Limits\.Exceeded/;
const OWN_WANT = /alloc|memory|temporary|create|open|write|space|timed? ?out|no reply/i;

export function parseScanReply(text: string): ClamdReply {
  if (text === 'stream: OK') return { kind: 'clean' };
  const [, signature] = /^stream: (\S.{0,255}) FOUND$/.exec(text) ?? [];
  if (signature !== undefined) return LIMITS.test(signature) ? { kind: 'unscannable', reason: signature } : { kind: 'infected', signature };
  const [, reason] = /^(?:stream: )?(\S.*?)\.? ERROR$/.exec(text) ?? [];
  if (reason === undefined) return { kind: 'nonsense', reason: 'the answer is none of clamd’s' };
  if (/size limit exceeded/.test(reason)) return { kind: 'unscannable', reason };
  return { kind: OWN_WANT.test(reason) ? 'overtaxed' : 'failed', reason };
}
