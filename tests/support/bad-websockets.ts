import { OPCODES, rawFrame } from './tcp-websocket.ts';

/** Bytes that break RFC 6455 on an open socket, and what workerd does about them (local, 2026-11). */
export interface Breach {
  readonly name: string;
  readonly bytes: readonly Uint8Array[];
  /** The code of its close frame; `waits`: it stays open and says nothing. */
  readonly answer: number | 'waits';
}

const { text, binary, continuation, close, ping } = OPCODES;
const breach = (name: string, answer: Breach['answer'], ...bytes: Uint8Array[]): Breach => ({ name, answer, bytes });
const code = (value: number): Buffer => Buffer.of(value >> 8, value & 255);
/** What must not be taken from any of these. */
const SEND = JSON.stringify({ type: 'send', id: 'c', client_msg_id: 'smuggled', text: 'smuggled' });
const whole = rawFrame({ opcode: text, payload: SEND });

export const BREACHES: readonly Breach[] = [
  breach('the first reserved bit, which means compressed', 1002, rawFrame({ opcode: text, payload: SEND, reserved: 4 })),
  breach('the last reserved bit', 1002, rawFrame({ opcode: text, payload: SEND, reserved: 1 })),
  breach('a reserved opcode', 1002, rawFrame({ opcode: 3, payload: SEND })),
  breach('a reserved opcode of control', 1002, rawFrame({ opcode: 11, payload: SEND })),
  breach('a length with its highest bit set', 1009, rawFrame({ opcode: text, length: 1n << 63n })),
  breach('a length of 4 EiB', 1009, rawFrame({ opcode: binary, length: 1n << 62n })),
  breach('a length of 5 GB', 1009, rawFrame({ opcode: binary, length: 5_000_000_000n })),
  breach('a ping in parts', 1002, rawFrame({ opcode: ping, payload: 'x', fin: false })),
  breach('a close in parts', 1002, rawFrame({ opcode: close, payload: code(1000), fin: false })),
  breach('a part of nothing', 1002, rawFrame({ opcode: continuation, payload: SEND })),
  breach('a message within another', 1002, rawFrame({ opcode: text, payload: '{', fin: false }), whole),
  breach('parts without end', 1009, ...Array.from({ length: 200 }, (_, part) => rawFrame({ opcode: part === 0 ? text : continuation, fin: false, payload: 'x'.repeat(200_000) }))),
  breach('a close of one byte', 1000, rawFrame({ opcode: close, payload: 'x' })),
  breach('a close with a code that may not be sent', 1000, rawFrame({ opcode: close, payload: code(1005) })),
  breach('a close with a reason that is not UTF-8', 1000, rawFrame({ opcode: close, payload: Buffer.concat([code(1000), Buffer.of(0xc3, 0x28)]) })),
  breach('zeros', 1002, Buffer.alloc(100_000)),
  breach('ones', 1002, Buffer.alloc(100_000, 255)),
  breach('HTTP', 'waits', Buffer.from('GET / HTTP/1.1\r\n\r\n')),
  breach('half a header, then silence', 'waits', whole.subarray(0, 3)),
  breach('half a message, then silence', 'waits', whole.subarray(0, -1)),
  breach('the first part of a message, then silence', 'waits', rawFrame({ opcode: text, payload: SEND.slice(0, 9), fin: false })),
  breach('20,000 parts of no bytes', 'waits', ...Array.from({ length: 20_000 }, (_, part) => rawFrame({ opcode: part === 0 ? text : continuation, fin: false }))),
];

/** Handshakes that are none, and the status of their answer. */
export const BAD_HANDSHAKES: readonly (readonly [name: string, headers: Readonly<Record<string, string | undefined>>, status: number])[] = [
  ['without a key', { 'sec-websocket-key': undefined }, 400],
  ['with an empty key', { 'sec-websocket-key': '' }, 400],
  ['of a version of 2010', { 'sec-websocket-version': '8' }, 426],
  ['without a version', { 'sec-websocket-version': undefined }, 426],
  ['to no other protocol', { upgrade: undefined }, 426],
  ['to another protocol', { upgrade: 'h2c' }, 426],
];
