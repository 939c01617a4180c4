import { constants, deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { EventFrames } from './event-frames.ts';

type Taken = { from: number; to: number; bytes: number; json: string | null } | string;

function reader(whole: boolean): { frames: EventFrames; taken: Taken[] } {
  const taken: Taken[] = [];
  const sink = {
    events: (from: number, to: number, bytes: number, json: Buffer | null) => void taken.push({ from, to, bytes, json: json === null ? null : json.toString() }),
    message: (text: string) => void taken.push(text),
  };
  return { frames: new EventFrames(sink, { whole }), taken };
}

function frame(payload: Buffer, first = 0x81): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.of(first, length), payload]);
  if (length <= 0xffff) return Buffer.concat([Buffer.of(first, 126, length >> 8, length & 0xff), payload]);
  const head = Buffer.alloc(10);
  head.writeUInt16BE((first << 8) | 127);
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

const events = (from: number, to: number, length: number): string => `{"type":"events","epoch":3,"from":${from},"to":${to},"events":["${'x'.repeat(length)}"]}`;
const texts = ['{"type":"welcome","seq":4}', events(5, 5, 10), 'pong', events(6, 120, 300), events(121, 1_234, 70_000), '{"type":"result","re":"a"}'];
const bytes = Buffer.concat(texts.map((text) => frame(Buffer.from(text))));
const expected = (whole: boolean): Taken[] =>
  texts.map((text) => {
    const [, from, to] = /"from":(\d+),"to":(\d+)/.exec(text) ?? [];
    return from === undefined ? text : { from: Number(from), to: Number(to), bytes: text.length, json: whole ? text : null };
  });

describe.each([true, false])('frames of a socket, read whole: %s', (whole) => {
  test('are read from one piece', () => {
    const { frames, taken } = reader(whole);
    frames.push(bytes);
    expect(taken).toEqual(expected(whole));
  });

  test.each([1, 2, 7, 97, 4_095, 4_096, 16_384])('are read in pieces of %d bytes, from a buffer that is used again', (size) => {
    const { frames, taken } = reader(whole);
    const shared = Buffer.alloc(size);
    for (let at = 0; at < bytes.length; at += size) frames.push(shared.subarray(0, bytes.copy(shared, 0, at)));
    expect(taken).toEqual(expected(whole));
  });
});

/** Two messages of one compression context: the second refers to the first. */
function deflated(messages: readonly string[]): Buffer {
  let past: Buffer = Buffer.alloc(0);
  const parts = messages.map((message) => {
    const dictionary = past.length > 0 ? { dictionary: past } : {};
    const payload = deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH, ...dictionary }).subarray(0, -4);
    past = Buffer.concat([past, Buffer.from(message)]).subarray(-32_768);
    return frame(payload, 0xc1);
  });
  return Buffer.concat(parts);
}

test('compressed frames are inflated, each with the past of its socket', () => {
  const { frames, taken } = reader(false);
  const messages = [events(1, 1, 50_000), events(2, 9, 50_000), 'pong'];
  frames.push(deflated(messages));
  expect(taken).toEqual([{ from: 1, to: 1, bytes: messages[0]?.length, json: messages[0] }, { from: 2, to: 9, bytes: messages[1]?.length, json: messages[1] }, 'pong']);
});

test('a close, a fragment and an events frame of another shape are errors', () => {
  expect(() => reader(false).frames.push(frame(Buffer.from('\u0003\u00f4restart; within=9', 'latin1'), 0x88))).toThrow('1012 restart; within=9');
  expect(() => reader(false).frames.push(frame(Buffer.from('{'), 0x01))).toThrow('fragmented');
  expect(() => reader(false).frames.push(frame(Buffer.from('{"type":"events","epoch":1,"to":3,"from":2}')))).toThrow('numbers');
});
