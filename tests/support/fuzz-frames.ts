import type { Frame } from './mutate.ts';

/** Frames as clients of a room send them, one of each type, to be mutated: about a message of the sender's own, and one of somebody else's. */
export const roomFrames = (own: string, foreign: string): readonly Frame[] => [
  { type: 'send', id: 'c', client_msg_id: 'once', text: 'a message' },
  { type: 'send', id: 'c', client_msg_id: 'reply', text: 'a reply', thread_id: own },
  { type: 'edit', id: 'c', message_id: own, text: 'edited' },
  { type: 'delete', id: 'c', message_id: foreign },
  { type: 'react', id: 'c', message_id: own, emoji: '👍' },
  { type: 'unreact', id: 'c', message_id: own, emoji: '👍' },
  { type: 'pin', id: 'c', message_id: own },
  { type: 'unpin', id: 'c', message_id: own },
  { type: 'ack', seq: 1 },
  { type: 'refresh', id: 'c', ticket: 'a'.repeat(64) },
  { type: 'typing' },
  { type: 'typing', thread_id: own },
  { type: 'watch', presence: true },
];

export const inboxFrames = (channelId: string): readonly Frame[] => [
  { type: 'read', id: 'c', channel_id: channelId, pos: 0 },
  { type: 'mark_unread', id: 'c', channel_id: channelId, pos: 1, generation: 0 },
  { type: 'ack', seq: 0 },
  { type: 'refresh', id: 'c', ticket: 'a'.repeat(64) },
  { type: 'activity', state: 'idle' },
  { type: 'activity', state: 'active' },
];
