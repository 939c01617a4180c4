import type { ErrorCode } from '../../protocol/errors.ts';
import { MAX_FRAME_BYTES, MAX_TEXT } from '../../protocol/limits.ts';

/** A frame out of protocol, and what answers it: a `problem`, a `result` to the command `c`, or a close. */
export interface BadFrame {
  readonly name: string;
  readonly frame: string | Uint8Array;
  readonly answer: { readonly problem: ErrorCode } | { readonly result: ErrorCode } | { readonly close: number };
}

const NOWHERE = '00000000-0000-7000-8000-000000000000';
const problem = (name: string, frame: string, code: ErrorCode): BadFrame => ({ name, frame, answer: { problem: code } });
const command = (name: string, fields: object, code: ErrorCode): BadFrame => ({ name, frame: JSON.stringify({ id: 'c', ...fields }), answer: { result: code } });

export const BAD_FRAMES: readonly BadFrame[] = [
  problem('nothing', '', 'unreadable_body'),
  problem('half an object', '{"type":"send"', 'unreadable_body'),
  problem('a PING in capitals', 'PING', 'unreadable_body'),
  problem('null', 'null', 'invalid'),
  problem('an array', '[{"type":"ack","seq":0}]', 'invalid'),
  problem('a number', '1e999', 'invalid'),
  problem('an unknown type', '{"type":"shutdown"}', 'invalid'),
  problem('a type that is no string', '{"type":{"a":1}}', 'invalid'),
  problem('the prototype as a type', '{"type":"__proto__","__proto__":{"type":"ack"}}', 'invalid'),
  problem('an ack below 0', '{"type":"ack","seq":-1}', 'invalid'),
  problem('an ack that is a fraction', '{"type":"ack","seq":0.5}', 'invalid'),
  problem('an ack of a string', '{"type":"ack","seq":"1"}', 'invalid'),
  problem('a command without an id', '{"type":"send","client_msg_id":"x","text":"a"}', 'invalid'),
  problem('arrays ten thousand deep', '['.repeat(10_000) + ']'.repeat(10_000), 'invalid'),
  command('a message without text', { type: 'send', client_msg_id: 'x' }, 'invalid'),
  command('a message with NUL', { type: 'send', client_msg_id: 'x', text: 'a\0b' }, 'invalid'),
  command('a message too long', { type: 'send', client_msg_id: 'x', text: 'x'.repeat(MAX_TEXT + 1) }, 'invalid'),
  command('a message with an unknown field', { type: 'send', client_msg_id: 'x', text: 'a', as: 'alice' }, 'invalid'),
  command('a message of an origin', { type: 'send', client_msg_id: 'x', text: 'a', origin: { source: 's', author: 'a', sent_at: '' } }, 'invalid'),
  command('a reply to nothing', { type: 'send', client_msg_id: 'x', text: 'a', thread_id: NOWHERE }, 'not_found'),
  command('an edit of nothing', { type: 'edit', message_id: NOWHERE, text: 'a' }, 'not_found'),
  command('an edit of no id', { type: 'edit', message_id: "' OR 1=1", text: 'a' }, 'invalid'),
  command('a reaction with white space', { type: 'react', message_id: NOWHERE, emoji: 'a b' }, 'invalid'),
  { name: 'bytes', frame: Uint8Array.of(0, 1, 2, 255), answer: { problem: 'invalid' } },
  { name: 'a frame too large', frame: JSON.stringify({ type: 'send', id: 'c', client_msg_id: 'x', text: 'x'.repeat(MAX_FRAME_BYTES) }), answer: { close: 1009 } },
  { name: '8 MB', frame: 'x'.repeat(8 * 1024 * 1024), answer: { close: 1009 } },
];
