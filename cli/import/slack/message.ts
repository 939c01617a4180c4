import { MAX_TEXT } from '../../../protocol/limits.ts';
import type { ImportedMessage } from '../batches.ts';
import type { SlackMessage } from './schema.ts';
import { type Names, translate } from './text.ts';

const MAX_AUTHOR = 80;
/** What Slack says by itself, and nobody said. */
const SAID_BY_NOBODY = /^(?:channel|group|mpim)_|^(?:bot_add|bot_remove|tombstone|reminder_add|pinned_item|unpinned_item|huddle_thread)$/;

/** A message as Colink takes it: in parts where it is longer than a message may be. Empty: nobody said it, or nothing is left of it. */
export function importedParts(channelId: string, message: SlackMessage, names: Names): ImportedMessage[] {
  if (message.type !== 'message' || SAID_BY_NOBODY.test(message.subtype ?? '')) return [];
  const origin = { source: 'slack', author: authorOf(message, names), sent_at: sentAt(message.ts) };
  return partsOf(textOf(message, names)).map((text, n) => ({ client_msg_id: `slack-${channelId}-${message.ts}${n === 0 ? '' : `-${n + 1}`}`, text, origin }));
}

export const sentAt = (ts: string): string => new Date(Math.floor(Number(ts) * 1_000)).toISOString();

function authorOf({ user, username, user_profile, bot_profile }: SlackMessage, names: Names): string {
  const profile = user_profile?.display_name || user_profile?.real_name || user_profile?.name;
  const known = user ? names.user(user) : null;
  return storable((known !== null && known !== user ? known : null) || username || profile || bot_profile?.name || user || 'unknown').slice(0, MAX_AUTHOR).toWellFormed();
}

function textOf(message: SlackMessage, names: Names): string {
  const said = translate(message.text ?? '', names);
  const text = message.subtype === 'me_message' ? `_${said}_` : said;
  const lines = [text, ...attached(message, names), ...filesOf(message)].filter((line) => line.trim() !== '');
  if (lines.length === 0) return '';
  if (message.edited) lines[0] += ' (edited)';
  return storable([...lines, ...reactionsOf(message, names)].join('\n'));
}

const attached = ({ attachments }: SlackMessage, names: Names): string[] =>
  (attachments ?? []).map(({ title, title_link, text, fallback }) => {
    const own = [title && (title_link ? `${title} (${title_link})` : title), text && translate(text, names)].filter(Boolean).join('\n');
    return own || translate(fallback ?? '', names);
  });

const filesOf = ({ files }: SlackMessage): string[] => (files ?? []).map(({ name, title, permalink, url_private }) => [title || name || 'a file', permalink || url_private].filter(Boolean).join(': '));

/** Those who reacted are no users here, so their reactions are words. */
const reactionsOf = ({ reactions }: SlackMessage, names: Names): string[] =>
  (reactions ?? []).length === 0 ? [] : [`Reactions: ${(reactions ?? []).map(({ name, users, count }) => `:${name}: ${users.map((id) => names.user(id)).join(', ') || (count ?? '')}`).join('; ')}`];

/** Postgres holds neither NUL nor a lone surrogate. */
const storable = (text: string): string => text.replaceAll('\u0000', '').toWellFormed();

/** At a line's end where there is one in the second half, and never within a character. */
function partsOf(text: string): string[] {
  const parts: string[] = [];
  let rest = text;
  while (rest.length > MAX_TEXT) {
    const line = rest.lastIndexOf('\n', MAX_TEXT);
    const end = line > MAX_TEXT / 2 ? line : MAX_TEXT - (isHighSurrogate(rest.charCodeAt(MAX_TEXT - 1)) ? 1 : 0);
    parts.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...parts, rest].filter((part) => part.trim() !== '');
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
