import { integer, pick } from '../../client/testing/random.ts';
import { MAX_FRAME_BYTES, MAX_TEXT } from '../../protocol/limits.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Frame = Readonly<Record<string, Json>>;

const DEEP = 2_000;

/** Values that parsers, stores and careless code have stumbled over. Some are made when asked for, because they are large. */
const HOSTILE: readonly (() => Json)[] = [
  () => null, () => true, () => 0, () => -1, () => -0, () => 0.1, () => 1e308, () => 2 ** 53, () => -(2 ** 63), () => '', () => ' ', () => '0', () => [], () => ({}), () => [[]],
  () => 'a\0b', () => '\ud800', () => '\udfff\ud800', () => '\u202egnp.exe', () => '\ufeff', () => '👩‍👩‍👧‍👦'.repeat(500), () => 'é'.repeat(MAX_TEXT), () => 'x'.repeat(MAX_TEXT + 1),
  () => '%00%0a', () => "'; DROP TABLE messages; --", () => '<script>alert(1)</script>', () => '__proto__', () => 'constructor', () => '../../etc/passwd', () => '\r\n\r\n',
  () => ({ toString: null }), () => ({ valueOf: 1 }), () => Array.from({ length: 500 }, (_, index) => index), () => nested(DEEP), () => JSON.parse('{"__proto__":{"type":"ack"}}'),
];
const KEYS = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'id', 'type', 'origin', 'seq', 'text', 'user_id', 'expires_at', ''];
const CHARACTERS = ['\0', '"', '{', '}', '[', ']', ',', ':', '\\', '\\u0000', '\\ud800', '\n', '9', 'e999', '-', '\u00a0', '\ufeff', '🎉', "'", '//', '0x1'];

const nested = (depth: number): Json => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

const isObject = (value: Json): value is Record<string, Json> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A copy of the frame in which something is out of place: its structure, or one of its values. */
function bend(random: () => number, frame: Frame, foreign: readonly Json[]): Json {
  const bent: Record<string, Json> = { ...frame };
  const key = pick(random, Object.keys(frame));
  switch (pick(random, ['value', 'value', 'value', 'foreign', 'foreign', 'drop', 'rename', 'add', 'wrap'] as const)) {
    case 'value':
      bent[key] = pick(random, HOSTILE)();
      return bent;
    case 'foreign':
      bent[key] = pick(random, foreign);
      return bent;
    case 'drop':
      delete bent[key];
      return bent;
    case 'rename':
      Object.defineProperty(bent, pick(random, KEYS), { value: bent[key] ?? null, enumerable: true });
      delete bent[key];
      return bent;
    case 'add':
      Object.defineProperty(bent, pick(random, KEYS), { value: pick(random, HOSTILE)(), enumerable: true, configurable: true });
      return bent;
    case 'wrap':
      return random() < 0.5 ? [bent] : { frame: bent };
  }
}

/** The text with something inserted, left out, cut off or doubled. */
function tear(random: () => number, text: string): string {
  const at = integer(random, text.length + 1);
  switch (pick(random, ['cut', 'insert', 'insert', 'flip', 'double', 'pad'] as const)) {
    case 'cut':
      return text.slice(0, at);
    case 'insert':
      return text.slice(0, at) + pick(random, CHARACTERS) + text.slice(at);
    case 'flip':
      return text.slice(0, at) + String.fromCharCode(integer(random, 0x10000)) + text.slice(at + 1);
    case 'double':
      return random() < 0.5 ? text + text : text.replace('{', `{${text.slice(1, -1)},`);
    case 'pad':
      return random() < 0.98 ? ` \n${text}\t` : text.padEnd(MAX_FRAME_BYTES - 2 + integer(random, 5));
  }
}

/**
 * A frame made from a valid one, as text or bytes: sometimes as it is (but at the wrong moment), mostly bent or torn. `foreign` are values the sender
 * must get nothing by, such as ids of what they may not see. All that is random comes from `random`.
 */
export function mutate(random: () => number, valid: readonly Frame[], foreign: readonly Json[]): string | ArrayBuffer {
  const frame = pick(random, valid);
  const how = random();
  if (how < 0.25) return JSON.stringify(frame);
  if (how < 0.7) return JSON.stringify(bend(random, frame, foreign));
  if (how < 0.8) return JSON.stringify(swapped(random, frame, valid));
  if (how < 0.97) return tear(random, JSON.stringify(frame));
  return bytes(random, JSON.stringify(frame));
}

/** The fields of one frame under the type of another. */
function swapped(random: () => number, frame: Frame, valid: readonly Frame[]): Json {
  const other = pick(random, valid);
  return isObject(other) ? { ...frame, ...(random() < 0.5 && other), type: other['type'] ?? null } : null;
}

function bytes(random: () => number, text: string): ArrayBuffer {
  if (random() < 0.5) return Uint8Array.from(new TextEncoder().encode(text)).buffer;
  return Uint8Array.from({ length: integer(random, 200) }, () => integer(random, 256)).buffer;
}
