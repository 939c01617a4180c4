import type { DigestNotice } from '../../db/queries/email-sending.ts';
import type { NoticeReason } from '../../protocol/notifications.ts';

/** One mail. `id` is the same at every attempt. */
export interface DigestMail {
  readonly id: string;
  readonly userId: string;
  readonly address: string;
  /** The oldest first, at least one. */
  readonly notices: readonly DigestNotice[];
}

export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** Of more the newest are shown, and how many there are. */
const MOST_SHOWN = 20;

const WORDS: Record<NoticeReason, string> = {
  direct: 'wrote to you', mention: 'mentioned you', keyword: 'used one of your keywords', thread_reply: 'replied in a thread you follow', channel_mention: 'notified the channel', all: 'wrote',
};

/** A digest for people, whose words are in its body alone: subjects and headers hold nothing that somebody wrote. `baseUrl`: of the page, without a slash at its end. */
export function renderDigest(notices: readonly DigestNotice[], { baseUrl, unsubscribeUrl }: { readonly baseUrl: string; readonly unsubscribeUrl: string }): RenderedMail {
  const shown = notices.slice(-MOST_SHOWN).map((notice) => ({ head: headOf(notice), text: plain(notice.text) || 'sent a file', url: baseUrl + pathOf(notice) }));
  const more = notices.length - shown.length;
  const first = `${notices.length} unread ${notices.length === 1 ? 'notification' : 'notifications'}`;
  const rest = more > 0 ? `${more} older ones are not shown.` : '';
  const why = 'You get this because you chose to be told by e-mail of what is unread.';
  return {
    subject: `${first} on Colink`,
    text: [first, ...shown.map(({ head, text, url }) => `${head}\n${text.replaceAll(/^/gm, '  ')}\n${url}`), ...(rest === '' ? [] : [rest]), `${why}\nNo more of these: ${unsubscribeUrl}`].join('\n\n'),
    html: [
      '<!doctype html><html lang="en"><body style="font-family: sans-serif; max-width: 36rem">',
      `<p>${escaped(first)}</p>`,
      ...shown.map(({ head, text, url }) => `<p><a href="${escaped(url)}"><b>${escaped(head)}</b></a><br>${escaped(text).replaceAll('\n', '<br>')}</p>`),
      ...(rest === '' ? [] : [`<p>${escaped(rest)}</p>`]),
      `<p style="color: #666"><small>${escaped(why)} <a href="${escaped(unsubscribeUrl)}">No more of these</a></small></p>`,
      '</body></html>',
    ].join('\n'),
  };
}

const headOf = ({ author, reason, channel_name }: DigestNotice): string =>
  `${oneLine(author) || 'Somebody'} ${WORDS[reason]}${channel_name === null ? '' : ` in #${oneLine(channel_name)}`}`;

/** As the page has it (`web/state/path.ts`). */
export const pathOf = ({ channel_id, thread_id, message_id }: Pick<DigestNotice, 'channel_id' | 'thread_id' | 'message_id'>): string =>
  `/channels/${channel_id}${thread_id === null ? '' : `/threads/${thread_id}`}/messages/${message_id}`;

const oneLine = (text: string): string => plain(text).replaceAll('\n', ' ');
/** Without control characters and what turns the direction of writing, but for ends of lines. */
const plain = (text: string): string => text.toWellFormed().replaceAll(/\r\n?|[\u2028\u2029]/g, '\n').replaceAll(/[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]/gu, '').trim();

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\'': '&#39;' };
const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (one) => ENTITIES[one] ?? '');
