/** A value of the YAML that this project writes. */
export type Yaml = string | number | boolean | null | readonly Yaml[] | { readonly [key: string]: Yaml };

interface Line {
  readonly number: number;
  readonly indent: number;
  readonly text: string;
}

/**
 * Reads the part of YAML that manifests need: block mappings and sequences, flow collections on one line, plain and quoted scalars, comments, documents.
 * Whatever else YAML knows (anchors, tags, block scalars, tabs) and duplicate keys it refuses, so what it takes every YAML reader takes the same way.
 * @throws with the number of the line that it does not take.
 */
export function parseYaml(text: string): Yaml[] {
  const lines = text.split('\n').map((raw, index) => toLine(raw, index + 1));
  const documents: Line[][] = [[]];
  for (const line of lines) {
    if (line?.text === '---') documents.push([]);
    else if (line) documents.at(-1)?.push(line);
  }
  return documents.filter(({ length }) => length > 0).map((document) => new BlockReader(document).document());
}

function toLine(raw: string, number: number): Line | null {
  const text = withoutComment(raw).trimEnd();
  if (text.includes('\t')) throw fault(number, 'a tab');
  return text === '' ? null : { number, indent: text.length - text.trimStart().length, text: text.trimStart() };
}

/** A comment begins a line or follows a blank, outside quotes. */
function withoutComment(raw: string): string {
  let quote = '';
  for (let at = 0; at < raw.length; at += 1) {
    const char = raw[at] ?? '';
    if (quote !== '') quote = char === quote ? '' : quote;
    else if ((char === '"' || char === "'") && /^$|[\s[{,:]$/.test(raw.slice(0, at))) quote = char;
    else if (char === '#' && /^$|\s$/.test(raw.slice(0, at))) return raw.slice(0, at);
  }
  return raw;
}

const fault = (line: number, what: string): Error => new Error(`line ${line}: ${what} is not taken`);
const KEY = /^("[^"]*"|'[^']*'|[^\s"'[\]{},#&*!|>%@`-][^:#]*?)\s*:(?:\s+(.*))?$/;

class BlockReader {
  readonly #lines: Line[];

  constructor(lines: readonly Line[]) {
    this.#lines = [...lines];
  }

  document(): Yaml {
    const value = this.#block(0);
    const [left] = this.#lines;
    if (left) throw fault(left.number, `indentation of ${left.indent}`);
    return value;
  }

  #block(indent: number): Yaml {
    const [first] = this.#lines;
    if (!first || first.indent < indent) return null;
    return first.text === '-' || first.text.startsWith('- ') ? this.#sequence(first.indent) : this.#mapping(first.indent);
  }

  #sequence(indent: number): Yaml {
    const items: Yaml[] = [];
    for (let [line] = this.#lines; line?.indent === indent && /^-(?: |$)/.test(line.text); [line] = this.#lines) {
      const rest = line.text.slice(1).trimStart();
      const inner = indent + line.text.length - rest.length;
      if (rest === '') {
        this.#lines.shift();
        items.push(this.#block(indent + 1));
      } else if (KEY.test(rest)) {
        this.#lines[0] = { ...line, indent: inner, text: rest };
        items.push(this.#mapping(inner));
      } else {
        this.#lines.shift();
        items.push(inline(rest, line.number));
      }
    }
    return items;
  }

  #mapping(indent: number): Yaml {
    const entries = new Map<string, Yaml>();
    for (let [line] = this.#lines; line?.indent === indent; [line] = this.#lines) {
      const [, key, rest = ''] = KEY.exec(line.text) ?? [];
      if (key === undefined) throw fault(line.number, line.text);
      this.#lines.shift();
      const name = String(inline(key, line.number));
      if (entries.has(name)) throw fault(line.number, `a second ${name}`);
      entries.set(name, rest === '' ? this.#nested(indent) : inline(rest, line.number));
    }
    return Object.fromEntries(entries);
  }

  /** A sequence may stand as far out as the key it belongs to. */
  #nested(indent: number): Yaml {
    const [next] = this.#lines;
    return next?.indent === indent && /^-(?: |$)/.test(next.text) ? this.#sequence(indent) : this.#block(indent + 1);
  }
}

/** A value on one line. */
function inline(text: string, line: number): Yaml {
  const reader = new FlowReader(text, line);
  return /^[[{"']/.test(text) ? reader.whole() : scalar(text, line);
}

function scalar(text: string, line: number): Yaml {
  if (/^[&*!|>%@`]|: |:$/.test(text)) throw fault(line, text);
  if (/^(?:true|false)$/.test(text)) return text === 'true';
  if (/^(?:null|~)$/.test(text)) return null;
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(text) ? Number(text) : text;
}

/** Flow collections and quoted scalars. */
class FlowReader {
  readonly #tokens: string[];
  readonly #line: number;

  constructor(text: string, line: number) {
    this.#line = line;
    this.#tokens = text.match(/"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[[\]{},]|:(?=\s)|[^\s"'[\]{},][^[\]{},]*?(?=\s*(?:[[\]{},]|:\s|$))/g) ?? [];
  }

  whole(): Yaml {
    const value = this.#value();
    if (this.#tokens.length > 0) throw fault(this.#line, this.#tokens.join(' '));
    return value;
  }

  #value(): Yaml {
    const token = this.#tokens.shift() ?? '';
    if (token === '[') return this.#items(']', () => this.#value());
    if (token === '{') return Object.fromEntries(this.#items('}', () => this.#entry()));
    if (token.startsWith('"')) return String(JSON.parse(token));
    if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
    if (token === '' || /^[\]},:]$/.test(token)) throw fault(this.#line, token);
    return scalar(token, this.#line);
  }

  #entry(): [string, Yaml] {
    const key = String(this.#value());
    if (this.#tokens.shift() !== ':') throw fault(this.#line, key);
    return [key, this.#value()];
  }

  #items<T>(end: string, read: () => T): T[] {
    const items: T[] = [];
    while (this.#tokens[0] !== end) {
      if (this.#tokens.length === 0) throw fault(this.#line, 'an open collection');
      items.push(read());
      if (this.#tokens[0] === ',') this.#tokens.shift();
    }
    this.#tokens.shift();
    return items;
  }
}
