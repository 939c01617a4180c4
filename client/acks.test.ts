import { expect, it } from 'vitest';
import { Acks } from './acks.ts';
import { FakeClock } from './testing/fake-clock.ts';

function setup() {
  const sent: number[] = [];
  const clock = new FakeClock();
  return { sent, clock, acks: new Acks(0, { window_events: 1_000, window_bytes: 1_000_000 }, clock, (seq) => sent.push(seq)) };
}

it('G8: acknowledges at once when a quarter of the byte window has gathered, and counts anew from there (P19)', () => {
  const { sent, acks } = setup();
  acks.received(1, 249_999, false);
  acks.received(2, 1, false);
  acks.received(3, 249_999, false);
  expect(sent).toEqual([2]);
});

it('G8: acknowledges small frames once in 200 ms', async () => {
  const { sent, acks, clock } = setup();
  for (let seq = 1; seq <= 10; seq += 1) {
    acks.received(seq, 10, false);
    await clock.advance(50);
  }
  expect(sent).toEqual([4, 8]);
});

it('leaves no timer behind when stopped, or when it acknowledged at once', () => {
  const { acks, clock } = setup();
  acks.received(1, 10, false);
  acks.received(300, 10, false);
  expect(clock.pending).toBe(0);
  acks.received(301, 10, false);
  acks.stop();
  expect(clock.pending).toBe(0);
});
