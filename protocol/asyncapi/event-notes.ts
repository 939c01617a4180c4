import type { DirectoryEvent } from '../directory-events.ts';
import type { ChannelEvent } from '../events.ts';
import type { FileEvent } from '../file-events.ts';
import type { FileState } from '../files.ts';
import type { InboxEvent } from '../inbox-events.ts';
import { PRESENCE_EVERY_SECONDS } from '../limits.ts';
import type { PresenceEvent } from '../presence.ts';
import { ADA, BOB, CHANNEL, FILE, MESSAGE, type Notes, REPLY } from './notes.ts';

const AT = '2026-11-23T10:00:00.000Z';
const eventId = (n: number): string => `019abcde-0000-7000-8000-${String(n).padStart(12, '0')}`;
const by = (n: number) => ({ id: eventId(n), at: AT, actor_id: ADA });
const entry = (seq: number) => ({ seq, ...by(seq) });

export const CHANNEL_EVENT_NOTES: Notes<ChannelEvent> = {
  'message.created': {
    title: 'A message was sent',
    summary: 'At the top level it has a pos, as a reply a thread_id and a tpos. Files that it names are its own only as far as its author uploaded them to this channel.',
    examples: [
      { ...entry(1), type: 'message.created', message_id: MESSAGE, client_msg_id: 'c-1', text: 'Grüße aus 東京 👋', pos: 1, thread_id: null, tpos: null, origin: null },
      { ...entry(2), type: 'message.created', message_id: REPLY, client_msg_id: 'c-2', text: 'a reply', pos: null, thread_id: MESSAGE, tpos: 1, origin: null },
      { ...entry(9), type: 'message.created', message_id: MESSAGE, client_msg_id: 'c-3', text: 'the engine', pos: 2, thread_id: null, tpos: null, origin: null, file_ids: [FILE] },
    ],
  },
  'message.edited': {
    title: 'A message was edited',
    summary: 'With its whole new text.',
    examples: [{ ...entry(3), type: 'message.edited', message_id: MESSAGE, text: 'Grüße', revision: 2 }],
  },
  'message.deleted': {
    title: 'A message was deleted',
    summary: 'It stays in its place, without its text. by_moderator: the actor moderates, and removed it.',
    examples: [
      { ...entry(4), type: 'message.deleted', message_id: REPLY, thread_id: MESSAGE },
      { ...entry(12), type: 'message.deleted', message_id: MESSAGE, thread_id: null, by_moderator: true },
    ],
  },
  'reaction.added': {
    title: 'A reaction was added',
    summary: 'Of the actor, with this emoji.',
    examples: [{ ...entry(5), type: 'reaction.added', message_id: MESSAGE, emoji: '👍' }],
  },
  'reaction.removed': {
    title: 'A reaction was taken back',
    summary: 'Of the actor, with this emoji.',
    examples: [{ ...entry(6), type: 'reaction.removed', message_id: MESSAGE, emoji: '👍' }],
  },
  'message.pinned': {
    title: 'A message was pinned',
    summary: 'To the channel, by the actor. The deletion of a message takes its pin away without a further event.',
    examples: [{ ...entry(11), type: 'message.pinned', message_id: MESSAGE }],
  },
  'message.unpinned': {
    title: 'A pin was taken away',
    summary: 'By the actor, who need not be the one who pinned the message.',
    examples: [{ ...entry(12), type: 'message.unpinned', message_id: MESSAGE }],
  },
  'message.previewed': {
    title: 'A message has previews of its links',
    summary: 'All that it has, as of this revision of it. An edit takes them away without a further event; so does the deletion of the message.',
    examples: [
      {
        ...entry(13),
        type: 'message.previewed',
        message_id: MESSAGE,
        revision: 1,
        previews: [{ url: 'https://engines.example/notes', title: 'Notes on the Analytical Engine', description: 'With notes by the translator', site_name: 'Engines' }],
      },
    ],
  },
  'message.previews_removed': {
    title: 'The previews of a message were removed',
    summary: 'By the actor, who is its author, or an owner or admin of the channel. It will have none any more.',
    examples: [{ ...entry(14), type: 'message.previews_removed', message_id: MESSAGE }],
  },
  'member.added': {
    title: 'A member was added',
    summary: 'Or has another role. Repeats the directory event of the same id.',
    examples: [{ ...entry(7), type: 'member.added', user_id: BOB, role: 'member' }],
  },
  'member.removed': {
    title: 'A member was removed',
    summary: 'Or has left: then it is the actor. Repeats the directory event of the same id.',
    examples: [{ ...entry(8), type: 'member.removed', user_id: BOB }],
  },
  'file.changed': {
    title: 'A file of the channel has changed',
    summary: 'It was scanned, has thumbnails now, or was deleted. Repeats the file event of the same id.',
    examples: [
      { ...entry(10), type: 'file.changed', file_id: FILE, status: 'clean', thumbnails: [{ size: 320, width: 320, height: 240 }] },
      { ...entry(11), type: 'file.changed', file_id: FILE, status: 'deleted', thumbnails: [] },
    ],
  },
  'channel.changed': {
    title: 'The channel itself has changed',
    summary: 'It has another name, topic or purpose, was archived, is open again, or was made private or public: all of it, at this version. Without a kind, which earlier releases left out, it is of the kind it was. Repeats the directory event of the same id.',
    examples: [{ ...entry(12), type: 'channel.changed', name: 'engines', topic: 'Analytical ones', purpose: '', archived_at: null, version: 2, kind: 'private' }],
  },
};

const told = (seq: number) => ({ seq, id: eventId(seq), at: AT });

export const INBOX_EVENT_NOTES: Notes<InboxEvent> = {
  'read.moved': {
    title: 'A read marker was moved',
    summary: 'On this or another device of the user.',
    examples: [{ ...told(1), type: 'read.moved', channel_id: CHANNEL, read_pos: 12 }],
  },
  'channel.joined': {
    title: 'The user has become a member',
    summary: 'Or has another role in the channel.',
    examples: [{ ...told(2), type: 'channel.joined', channel_id: CHANNEL, role: 'member', actor_id: BOB }],
  },
  'message.notified': {
    title: 'A message is meant for the user',
    summary: 'Without its text, which the channel alone may show, while the user is a member.',
    examples: [
      {
        ...told(3),
        type: 'message.notified',
        reason: 'mention',
        channel_id: CHANNEL,
        message_id: MESSAGE,
        author_id: BOB,
        channel_seq: 41,
        pos: 14,
        thread_id: null,
      },
      { ...told(6), type: 'message.notified', reason: 'keyword', channel_id: CHANNEL, message_id: MESSAGE, author_id: BOB, channel_seq: 42, pos: 15, thread_id: null, quiet: true },
    ],
  },
  'notices.read': {
    title: 'Notices were marked as read',
    summary: 'Those up to read_seq of this log, on this or another device.',
    examples: [{ ...told(7), type: 'notices.read', read_seq: 6 }],
  },
  'thread.read': {
    title: 'A thread was marked as read',
    summary: 'Up to read_tpos, on this or another device. The mark never goes down.',
    examples: [{ ...told(8), type: 'thread.read', channel_id: CHANNEL, thread_id: MESSAGE, read_tpos: 6 }],
  },
  'thread.followed': {
    title: 'The user follows a thread, or does not',
    summary: 'As they said themselves, on this or another device. What replies make of it is told by no event.',
    examples: [{ ...told(9), type: 'thread.followed', channel_id: CHANNEL, thread_id: MESSAGE, following: false }],
  },
  'draft.changed': {
    title: 'A draft was saved or deleted',
    summary: 'On this or another device. Without its text, which GET /v1/me/drafts has. A device forgets what it has up to the version that was deleted, and reads again what is newer than its own.',
    examples: [
      { ...told(10), type: 'draft.changed', channel_id: CHANNEL, thread_id: null, version: 1_795_708_829_512, deleted: false },
      { ...told(11), type: 'draft.changed', channel_id: CHANNEL, thread_id: null, version: 1_795_708_829_512, deleted: true },
    ],
  },
  'scheduled_message.failed': {
    title: 'A scheduled message was not sent',
    summary: 'And will not be.',
    examples: [{ ...told(12), type: 'scheduled_message.failed', channel_id: CHANNEL, scheduled_message_id: MESSAGE, failure: 'channel_archived' }],
  },
  'saved.changed': {
    title: 'The list of saved messages has changed',
    summary: 'On this or another device. Its version rises by 1 with each change: who finds one missing reads the list again.',
    examples: [{ ...told(10), type: 'saved.changed', message_id: MESSAGE, saved: true, version: 3 }],
  },
  'channel.left': {
    title: 'The user is no longer a member',
    summary: 'They left, or were removed.',
    examples: [{ ...told(4), type: 'channel.left', channel_id: CHANNEL, actor_id: BOB }],
  },
  'presence.chosen': {
    title: 'The user chose how to be seen',
    summary: 'On this or another device.',
    examples: [{ ...told(5), type: 'presence.chosen', choice: 'dnd', status: { text: 'In a meeting', emoji: '📅', expires_at: '2026-11-23T11:00:00.000Z' } }],
  },
};

const CREDENTIAL = '019abcde-0000-7000-8000-0000000000d1';
const channel = { id: CHANNEL, kind: 'private', name: 'engines', topic: '', purpose: 'All that turns' } as const;
const user = { id: ADA, handle: 'ada', display_name: 'Ada Lovelace', role: 'member' } as const;

export const DIRECTORY_EVENT_NOTES: Notes<DirectoryEvent> = {
  'user.created': { title: 'A user signed in for the first time', summary: 'Key: the user.', examples: [{ ...by(1), type: 'user.created', user, version: 1 }] },
  'user.updated': {
    title: 'A user has changed',
    summary: 'Key: the user. deactivated tells that their access was taken, or given back.',
    examples: [
      { ...by(2), type: 'user.updated', user, version: 2 },
      { ...by(6), type: 'user.updated', user, version: 3, deactivated: true },
    ],
  },
  'user.credential_revoked': {
    title: 'A credential was revoked',
    summary: 'Key: the user. They signed out; rooms and inboxes close its sockets.',
    examples: [{ ...by(8), type: 'user.credential_revoked', user_id: ADA, credential_id: CREDENTIAL }],
  },
  'user.redaction_requested': {
    title: 'All messages of a user are to be deleted',
    summary: 'Key: the user, who is deactivated. Their rooms are told of it by the consumer group user-redactor, and each deletion is a message.deleted.',
    examples: [{ ...by(10), type: 'user.redaction_requested', user_id: BOB }],
  },
  'notification_level.updated': {
    title: 'A user is notified at another level',
    summary: 'Key: the user. Of one channel, or, where channel_id is null, wherever a channel says nothing else. Mentions are counted by it.',
    examples: [{ ...by(11), type: 'notification_level.updated', user_id: ADA, channel_id: CHANNEL, level: 'none', version: 2 }],
  },
  'channel.created': {
    title: 'A channel was made',
    summary: 'Key: the channel. A direct one is its set of members.',
    examples: [
      { ...by(3), type: 'channel.created', channel, version: 1 },
      { ...by(12), type: 'channel.created', channel: { id: CHANNEL, kind: 'direct', user_ids: [ADA, BOB] }, version: 1 },
    ],
  },
  'channel.updated': {
    title: 'A channel has changed',
    summary: 'Key: the channel. Its name, topic or purpose, its kind, or archived, which tells whether it takes messages. Written by the transaction that did it; the room then announces it as channel.changed.',
    examples: [{ ...by(9), type: 'channel.updated', channel, archived: true, version: 2 }],
  },
  'channel.member_added': {
    title: 'A member was added to a channel',
    summary: 'Key: the channel. Written by the transaction that did it; the room then announces it as member.added.',
    examples: [{ ...by(4), type: 'channel.member_added', channel_id: CHANNEL, user_id: BOB, role: 'member', version: 2 }],
  },
  'channel.message_removal_ordered': {
    title: 'The removal of a message was ordered',
    summary: 'Key: the channel. Written by the transaction that did it; the room then deletes the message, and says so as message.deleted.',
    examples: [{ ...by(12), type: 'channel.message_removal_ordered', channel_id: CHANNEL, message_id: MESSAGE }],
  },
  'channel.member_removed': {
    title: 'A member was removed from a channel',
    summary: 'Key: the channel. Written by the transaction that did it; the room then announces it as member.removed.',
    examples: [{ ...by(5), type: 'channel.member_removed', channel_id: CHANNEL, user_id: BOB, version: 3 }],
  },
};

export const PRESENCE_EVENT_NOTES: Notes<PresenceEvent> = {
  'presence.changed': {
    title: 'A user is seen otherwise than before',
    summary: `Key: the user. One a transition, at most one a user in ${PRESENCE_EVERY_SECONDS} s.`,
    examples: [{ id: eventId(1), at: AT, type: 'presence.changed', user_id: ADA, state: 'away', status: null }],
  },
};

const file: FileState = {
  id: FILE,
  channel_id: CHANNEL,
  uploader_id: ADA,
  name: 'engine.png',
  media_type: 'image/png',
  size: 48_213,
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  status: 'pending_scan',
  thumbnails: [],
  created_at: AT,
};
const clean: FileState = { ...file, status: 'clean', thumbnails: [{ size: 320, width: 320, height: 240 }] };

export const FILE_EVENT_NOTES: Notes<FileEvent> = {
  'file.uploaded': { title: 'A file was uploaded', summary: 'Key: the file. Nobody can download it before it is clean.', examples: [{ ...by(1), type: 'file.uploaded', version: 1, file }] },
  'file.updated': {
    title: 'A file was scanned',
    summary: 'Key: the file. Or it has thumbnails now.',
    examples: [
      { ...by(2), type: 'file.updated', version: 2, file: clean },
      { ...by(3), type: 'file.updated', version: 2, file: { ...file, status: 'infected' } },
    ],
  },
  'file.deleted': { title: 'A file was deleted', summary: 'Key: the file. file is its last state.', examples: [{ ...by(4), type: 'file.deleted', version: 3, file: clean }] },
};
