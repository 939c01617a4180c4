const TOKEN = /[ \t\n\r]*(?:([{}[\],:])|("(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y;

/** What may come next: a value; a value or the end of an empty list; a key, or with it the end of an empty object; a colon; a comma, or an end. */
type Expected = 'value' | 'first' | 'key' | 'firstKey' | 'colon' | 'next';

/** Where a text ceases to be JSON, as the engine does not say (V8 14): `line 3, column 10`. Tells nothing of what stands there, which may be private. */
export function jsonFault(text: string): string {
  const lines = text.slice(0, faultAt(text)).split('\n');
  return `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
}

function faultAt(text: string): number {
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  for (let at = 0; at < text.length; ) {
    TOKEN.lastIndex = at;
    const [all, mark, string] = TOKEN.exec(text) ?? [];
    const start = at + (/^[ \t\n\r]*/.exec(all ?? text.slice(at, at + 1_000))?.[0].length ?? 0);
    if (all === undefined) return start;
    const next = follow(expected, mark ?? (string === undefined ? 'scalar' : 'string'), open);
    if (next === null) return start;
    expected = next;
    at += all.length;
  }
  return text.length;
}

/** Null: the token may not stand there. `open` is what it stands in. */
function follow(expected: Expected, token: string, open: ('{' | '[')[]): Expected | null {
  const isValue = expected === 'value' || expected === 'first';
  if (token === '{' || token === '[') return isValue ? (open.push(token), token === '{' ? 'firstKey' : 'first') : null;
  if (token === '}' || token === ']') return closes(expected, token, open) ? (open.pop(), 'next') : null;
  if (token === ':') return expected === 'colon' ? 'value' : null;
  if (token === ',') return expected === 'next' && open.length > 0 ? (open.at(-1) === '{' ? 'key' : 'value') : null;
  if (token === 'string' && (expected === 'key' || expected === 'firstKey')) return 'colon';
  return isValue ? 'next' : null;
}

const closes = (expected: Expected, token: '}' | ']', open: readonly ('{' | '[')[]): boolean =>
  token === '}' ? open.at(-1) === '{' && (expected === 'next' || expected === 'firstKey') : open.at(-1) === '[' && (expected === 'next' || expected === 'first');
