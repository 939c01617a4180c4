import { expect, it } from 'vitest';
import { NetworkError } from './errors.ts';
import { ReadMarker } from './read-marker.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';

it('tells the latest position only, one call at a time', async () => {
  const clock = new FakeClock();
  const calls: { pos: number; answer: () => void }[] = [];
  const marker = new ReadMarker((pos) => new Promise<void>((answer) => calls.push({ pos, answer })), 5, clock);
  marker.moveTo(5);
  expect(clock.pending).toBe(0);
  marker.moveTo(6);
  marker.moveTo(7);
  await clock.advance(1_000);
  marker.moveTo(9);
  await clock.advance(60_000);
  expect(calls.map(({ pos }) => pos)).toEqual([7]);
  calls[0]?.answer();
  await settle();
  await clock.advance(1_000);
  expect(calls.map(({ pos }) => pos)).toEqual([7, 9]);
});

it('tries again after ten seconds, until it is told', async () => {
  const clock = new FakeClock();
  const calls: number[] = [];
  const marker = new ReadMarker(async (pos) => {
    calls.push(pos);
    if (calls.length < 3) throw new NetworkError('away');
  }, 0, clock);
  marker.moveTo(4);
  await clock.advance(1_000);
  await clock.advance(9_999);
  expect(calls).toEqual([4]);
  await clock.advance(60_000);
  expect(calls).toEqual([4, 4, 4]);
});

it('tells nothing once stopped', async () => {
  const clock = new FakeClock();
  const calls: number[] = [];
  const marker = new ReadMarker(async (pos) => void calls.push(pos), 0, clock);
  marker.moveTo(4);
  marker.stop();
  await clock.advance(60_000);
  expect(calls).toEqual([]);
});
