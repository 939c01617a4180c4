import type { NoticeReason } from '../../protocol/notifications.ts';

const WORDS: Readonly<Record<NoticeReason, string>> = {
  direct: 'wrote to you',
  mention: 'mentioned you',
  keyword: 'used a keyword of yours',
  thread_reply: 'replied in a thread of yours',
  channel_mention: 'called everyone',
  all: 'wrote',
};

/** What somebody did that one is notified of; a reason that is newer than this page is told as the plainest. */
export const noticeWords = (reason: string): string => Object.entries(WORDS).find(([known]) => known === reason)?.[1] ?? WORDS.all;
