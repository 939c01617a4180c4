import type { ClientFrame, InboxClientFrame } from '../frames.ts';
import { TYPING_EVERY_SECONDS } from '../limits.ts';
import { CHANNEL, MESSAGE, type Notes } from './notes.ts';

const TICKET = '019abcde00007000800000000000000aX2dVb3JkIG9mIGEgdGlja2V0';

export const ROOM_CLIENT_NOTES: Notes<ClientFrame> = {
  send: {
    title: 'Send a message',
    summary: 'To the channel, or as a reply where thread_id names a top-level message. The same client_msg_id again is the same message.',
    examples: [
      { type: 'send', id: '1', client_msg_id: 'c-1', text: 'Grüße aus 東京 👋' },
      { type: 'send', id: '2', client_msg_id: 'c-2', text: 'a reply', thread_id: MESSAGE },
    ],
  },
  edit: {
    title: 'Edit a message',
    summary: 'The caller must be its author.',
    examples: [{ type: 'edit', id: '3', message_id: MESSAGE, text: 'Grüße' }],
  },
  delete: {
    title: 'Delete a message',
    summary: 'The caller must be its author. It stays in its place, without its text.',
    examples: [{ type: 'delete', id: '4', message_id: MESSAGE }],
  },
  react: {
    title: 'Add a reaction',
    summary: 'One that is there already changes nothing.',
    examples: [{ type: 'react', id: '5', message_id: MESSAGE, emoji: '👍' }],
  },
  unreact: {
    title: 'Take a reaction back',
    summary: 'One that is not there changes nothing.',
    examples: [{ type: 'unreact', id: '6', message_id: MESSAGE, emoji: '👍' }],
  },
  pin: {
    title: 'Pin a message',
    summary: 'To the channel, of which 100 may be pinned. One that is pinned already stays as it is.',
    examples: [{ type: 'pin', id: '8', message_id: MESSAGE }],
  },
  unpin: {
    title: 'Take a pin away',
    summary: 'One that is not there changes nothing.',
    examples: [{ type: 'unpin', id: '9', message_id: MESSAGE }],
  },
  remove_previews: {
    title: 'Remove the previews of a message',
    summary: 'For its author, and the owners and admins of the channel. It will have none any more.',
    examples: [{ type: 'remove_previews', id: '10', message_id: MESSAGE }],
  },
  ack: {
    title: 'Acknowledge',
    summary: 'Everything up to seq has been received and processed: gives the socket credit. The first answers the welcome. Unanswered.',
    examples: [{ type: 'ack', seq: 41 }],
  },
  refresh: {
    title: 'Carry the socket on with another credential',
    summary: 'A fresh ticket of the same user, before the credential of this socket ends.',
    examples: [{ type: 'refresh', id: '7', ticket: TICKET }],
  },
  typing: {
    title: 'The user is typing',
    summary: `In the channel, or in a thread. Unanswered; more than one in ${TYPING_EVERY_SECONDS} s is passed over.`,
    examples: [{ type: 'typing' }, { type: 'typing', thread_id: MESSAGE }],
  },
  watch: {
    title: 'Look at who is present, or no longer',
    summary: 'Off at first. Answered by a presence frame with full: true where it is turned on.',
    examples: [{ type: 'watch', presence: true }],
  },
};

export const INBOX_CLIENT_NOTES: Notes<InboxClientFrame> = {
  ack: ROOM_CLIENT_NOTES.ack,
  refresh: ROOM_CLIENT_NOTES.refresh,
  read: {
    title: 'Move a read marker',
    summary: 'Up to pos, on all devices of the user. It never goes down.',
    examples: [{ type: 'read', id: '8', channel_id: CHANNEL, pos: 12 }],
  },
  mark_unread: {
    title: 'Mark as unread',
    summary: 'From the message at pos on: moves the read marker of a channel back, on all devices, and its generation on.',
    examples: [{ type: 'mark_unread', id: '3', channel_id: CHANNEL, pos: 17 }, { type: 'mark_unread', id: '4', channel_id: CHANNEL, pos: 17, generation: 1 }],
  },
  activity: {
    title: 'Say whether the user is at this device',
    summary: 'A socket begins active. Unanswered.',
    examples: [{ type: 'activity', state: 'idle' }],
  },
  viewing: {
    title: 'Say what this device shows',
    summary: 'A channel, and a thread of it where one is open; null: none. Nobody is notified of what they are reading. Unanswered.',
    examples: [{ type: 'viewing', channel_id: CHANNEL }, { type: 'viewing', channel_id: CHANNEL, thread_id: MESSAGE }, { type: 'viewing', channel_id: null }],
  },
};
