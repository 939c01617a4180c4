import { type ErrorCode, problemDocument } from '../errors.ts';
import type { InboxServerFrame, ServerFrame } from '../frames.ts';
import { AUTH_NOTICE_SECONDS, HEARTBEAT_SECONDS, MAX_FRAME_BYTES, MAX_PRESENCE_LIST, SOCKET_WINDOW_BYTES, SOCKET_WINDOW_EVENTS, TYPING_SECONDS } from '../limits.ts';
import { CHANNEL_EVENT_NOTES, INBOX_EVENT_NOTES } from './event-notes.ts';
import { ADA, BOB, CHANNEL, MESSAGE, type Notes } from './notes.ts';

const problem = (code: ErrorCode, pointer: string, detail: string) => problemDocument({ code, errors: [{ pointer, detail }] });
const EXPIRES_AT = '2026-11-23T11:00:00.000Z';

export const ROOM_SERVER_NOTES: Notes<ServerFrame> = {
  welcome: {
    title: 'Welcome',
    summary: 'The first frame of a socket: where its events begin, and whether the client gets all that it missed.',
    examples: [
      {
        type: 'welcome',
        session: '019abcde-0000-7000-8000-0000000000e1',
        epoch: 1,
        seq: 40,
        head: 41,
        recovered: true,
        heartbeat_seconds: HEARTBEAT_SECONDS,
        limits: { frame_bytes: MAX_FRAME_BYTES, window_events: SOCKET_WINDOW_EVENTS, window_bytes: SOCKET_WINDOW_BYTES },
      },
    ],
  },
  events: {
    title: 'Events of the channel',
    summary: 'All events from `from` to `to`, in order. The next frame begins at to + 1.',
    examples: [{ type: 'events', epoch: 1, from: 1, to: 1, events: [CHANNEL_EVENT_NOTES['message.created'].examples[0]] }],
  },
  result: {
    title: 'The result of a command',
    summary: 'Of the command whose id is re: either ok or a problem.',
    examples: [
      { type: 'result', re: '1', ok: { message_id: MESSAGE, seq: 1, pos: 1, thread_id: null, tpos: null, at: '2026-11-23T10:00:00.000Z', changed: true } },
      { type: 'result', re: '7', ok: { expires_at: EXPIRES_AT } },
      { type: 'result', re: '3', problem: problem('invalid', '/text', 'must not be blank') },
    ],
  },
  problem: {
    title: 'A frame that could not be tied to a command',
    summary: 'It was unreadable, or out of protocol. The tenth closes the socket with 4000.',
    examples: [{ type: 'problem', problem: problem('invalid', '/seq', 'was not sent yet') }],
  },
  'auth.expiring': {
    title: 'The credential of this socket ends soon',
    summary: `Refresh in time, or the socket is closed with 4001. Sent ${AUTH_NOTICE_SECONDS} s before, or at once where less is left.`,
    examples: [{ type: 'auth.expiring', expires_at: EXPIRES_AT }],
  },
  reconnect: {
    title: 'Leave and come back',
    summary: 'The server will restart: the client leaves by itself at a random moment within the window, and resumes.',
    examples: [{ type: 'reconnect', within_ms: 30_000 }],
  },
  typing: {
    title: 'Who is typing',
    summary: `The whole list, but for the receiver, each time it changes. An entry that is not renewed ends after ${TYPING_SECONDS} s.`,
    examples: [{ type: 'typing', users: [{ user_id: BOB, thread_id: null }] }],
  },
  presence: {
    title: 'Who is present',
    summary: `To sockets that watch. full: what was known is void; otherwise what has changed. Past ${MAX_PRESENCE_LIST} members only the number: users is null.`,
    examples: [
      { type: 'presence', full: true, users: [{ user_id: ADA, state: 'dnd', status: { text: 'In a meeting', emoji: '📅', expires_at: EXPIRES_AT } }], present: 1 },
      { type: 'presence', full: true, users: null, present: 4_711 },
    ],
  },
};

export const INBOX_SERVER_NOTES: Notes<InboxServerFrame> = {
  welcome: ROOM_SERVER_NOTES.welcome,
  events: {
    title: 'Events of the inbox',
    summary: 'All events of the user\'s own log from `from` to `to`, in order. The next frame begins at to + 1.',
    examples: [{ type: 'events', epoch: 1, from: 3, to: 3, events: [INBOX_EVENT_NOTES['message.notified'].examples[0]] }],
  },
  result: {
    title: 'The result of a command',
    summary: 'Of the command whose id is re: either ok or a problem.',
    examples: [
      { type: 'result', re: '8', ok: { read_pos: 12 } },
      { type: 'result', re: '7', ok: { expires_at: EXPIRES_AT } },
      { type: 'result', re: '8', problem: problemDocument({ code: 'not_found' }) },
    ],
  },
  problem: ROOM_SERVER_NOTES.problem,
  'auth.expiring': ROOM_SERVER_NOTES['auth.expiring'],
  reconnect: ROOM_SERVER_NOTES.reconnect,
  badges: {
    title: 'What channels have for the user',
    summary: 'full: of all channels that have anything; one that is missing has none. Otherwise of those that have changed. Only the newest state is sent.',
    examples: [{ type: 'badges', full: true, badges: [{ channel_id: CHANNEL, last_pos: 14, read_pos: 12, unread: 2, mentions: 1 }] }],
  },
};
