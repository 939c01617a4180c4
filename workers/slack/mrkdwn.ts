import { idSchema } from '../../protocol/primitives.ts';
import { withEmoji } from './emoji.ts';
import { escape, unescape } from './escape.ts';

/** People and channels of one text that are looked up; more keep the names that the text gives them (G8). */
const MAX_REFERENCES = 100;

/** `<@U…>`, `<#C…|name>`, `<!here>`, `<https://…|label>`: what Slack puts in angle brackets. */
const BRACKETS = /<([^<>\n]+)>/g;
const CODE = /```[^]*?```|`[^`\n]*`/g;

/** Handles by user id, and names by channel id. */
export interface Names {
  readonly users: ReadonlyMap<string, string>;
  readonly channels: ReadonlyMap<string, string>;
}

/** Whose names a text in mrkdwn needs. */
export function referencesIn(mrkdwn: string): { readonly users: readonly string[]; readonly channels: readonly string[] } {
  const [users, channels] = [new Set<string>(), new Set<string>()];
  for (const [, inner = ''] of mrkdwn.matchAll(BRACKETS)) {
    const { target } = partsOf(inner);
    const id = target.slice(1);
    if (users.size + channels.size >= MAX_REFERENCES) break;
    if (!idSchema.safeParse(id).success) continue;
    if (target.startsWith('@')) users.add(id);
    if (target.startsWith('#')) channels.add(id);
  }
  return { users: [...users], channels: [...channels] };
}

function partsOf(inner: string): { readonly target: string; readonly label: string } {
  const at = inner.indexOf('|');
  return at < 0 ? { target: inner, label: '' } : { target: inner.slice(0, at), label: unescape(inner.slice(at + 1)) };
}

/** A text as Colink's messages are: people by `@handle`, links as they are, emoji as themselves. */
export function fromMrkdwn(mrkdwn: string, names: Names): string {
  const codes = codeOf(mrkdwn);
  const between = (start: number, stop?: number): string => unescape(withEmoji(mrkdwn.slice(start, stop), (at) => codes[start + at] === '`'));
  let [text, end] = ['', 0];
  for (const { 0: whole, 1: inner = '', index } of mrkdwn.matchAll(BRACKETS)) {
    text += between(end, index);
    end = index + whole.length;
    const written = wordsFor(inner, whole, names);
    text += apart(text, written, mrkdwn.slice(end, end + 1));
  }
  return text + between(end);
}

/** As long as the text, and a backtick wherever it is code. Code goes on past what is in brackets, and neither begins nor ends there. */
const codeOf = (mrkdwn: string): string => mrkdwn.replaceAll(BRACKETS, (whole) => ' '.repeat(whole.length)).replaceAll(CODE, (code) => '`'.repeat(code.length));

/** A mention begins and ends where nothing else that may be of a handle does. */
function apart(before: string, written: string, next: string): string {
  if (!written.startsWith('@')) return written;
  return `${/[A-Za-z0-9@._-]$/.test(before) ? ' ' : ''}${written}${/[A-Za-z0-9]/.test(next) ? ' ' : ''}`;
}

function wordsFor(inner: string, whole: string, { users, channels }: Names): string {
  const { target, label } = partsOf(inner);
  const id = target.slice(1);
  switch (target[0]) {
    case '@':
      return users.has(id) ? `@${users.get(id)}` : label || whole;
    case '#':
      return channels.has(id) ? `#${channels.get(id)}` : label ? `#${label}` : whole;
    case '!':
      return special(id, label, whole);
    default:
      return ADDRESS.test(target) ? link(unescape(target), label) : unescape(whole);
  }
}

/** Slack takes what is none for text whose writer has not escaped it: `Array<String>`, `a < b and c > d`. */
const ADDRESS = /^[a-z][a-z0-9+.-]*:\S+$/i;

/** `@channel` is everybody of the channel; so is Slack's `@everyone`, which Colink has not. */
function special(name: string, label: string, whole: string): string {
  if (name === 'here') return '@here';
  return name === 'channel' || name === 'everyone' ? '@channel' : label || whole;
}

function link(target: string, label: string): string {
  const address = target.replace(/^mailto:/, '');
  return label === '' || label === address || label === address.replace(/^https?:\/\//, '') ? address : `${label} (${address})`;
}

/** As `mentioned_handles` in `db/schema.sql` finds them. */
const MENTION = /(?<![A-Za-z0-9@._-])@([A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?)(?![A-Za-z0-9])/g;
const LINK = /\bhttps?:\/\/[^\s<>"'`]*[^\s<>"'`.,:;!?)\]]/g;

/** Handles that a text names, in lower case, each once; at most so many. */
export const handlesIn = (text: string): string[] => [...new Set([...text.matchAll(MENTION)].map(([, handle = '']) => handle.toLowerCase()))].slice(0, MAX_REFERENCES);

/** A message's text as Slack has it: escaped, people by id, links in angle brackets. `people`: ids by handle. */
export function toMrkdwn(text: string, people: ReadonlyMap<string, string>): string {
  let [mrkdwn, end] = ['', 0];
  for (const { 0: address, index } of text.matchAll(LINK)) {
    // What follows a bar in brackets is a label.
    mrkdwn += `${withMentions(text.slice(end, index), people)}<${escape(address).replaceAll('|', '%7C')}>`;
    end = index + address.length;
  }
  return mrkdwn + withMentions(text.slice(end), people);
}

const withMentions = (text: string, people: ReadonlyMap<string, string>): string =>
  escape(text).replaceAll(MENTION, (whole, handle: string) => {
    const name = handle.toLowerCase();
    if (name === 'here' || name === 'channel') return `<!${name}>`;
    return people.has(name) ? `<@${people.get(name)}>` : whole;
  });
