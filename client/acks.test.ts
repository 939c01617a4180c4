import { expect, it } from 'vitest';
import { Acks } from './acks.ts';

function setup() {
  const sent: number[] = [];
  return { sent, acks: new Acks(0, { window_bytes: 800_000 }, (seq) => sent.push(seq)) };
}

it('G8: acknowledges when an eighth of the byte window has gathered, and counts anew from there (P19)', () => {
  const { sent, acks } = setup();
  for (const [seq, bytes] of [[1, 99_999], [2, 1], [3, 99_999], [4, 1]] as const) acks.received(seq, bytes, false);
  expect(sent).toEqual([2, 4]);
});

it('G8: acknowledges every 200 events, and nothing for less (P19)', () => {
  const { sent, acks } = setup();
  for (let seq = 1; seq <= 599; seq += 1) acks.received(seq, 10, false);
  expect(sent).toEqual([200, 400]);
});

it('acknowledges each frame while it catches up (P19)', () => {
  const { sent, acks } = setup();
  acks.received(3, 10, true);
  acks.received(5, 10, true);
  acks.received(6, 10, false);
  expect(sent).toEqual([3, 5]);
});
