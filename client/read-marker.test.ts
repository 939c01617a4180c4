import { expect, it } from 'vitest';
import { NetworkError } from './errors.ts';
import { ReadMarker } from './read-marker.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';

const at = (pos: number, generation = 0) => ({ generation, pos });

it('tells the latest position only, one call at a time', async () => {
  const clock = new FakeClock();
  const calls: { pos: number; answer: () => void }[] = [];
  const marker = new ReadMarker(({ pos }) => new Promise((answer) => calls.push({ pos, answer: () => answer(undefined) })), at(5), clock);
  marker.moveTo(at(5));
  expect(clock.pending).toBe(0);
  marker.moveTo(at(6));
  marker.moveTo(at(7));
  await clock.advance(1_000);
  marker.moveTo(at(9));
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
  const marker = new ReadMarker(async ({ pos }) => {
    calls.push(pos);
    if (calls.length < 3) throw new NetworkError('away');
    return undefined;
  }, at(0), clock);
  marker.moveTo(at(4));
  await clock.advance(1_000);
  await clock.advance(9_999);
  expect(calls).toEqual([4]);
  await clock.advance(60_000);
  expect(calls).toEqual([4, 4, 4]);
});

it('tells nothing once stopped', async () => {
  const clock = new FakeClock();
  const calls: number[] = [];
  const marker = new ReadMarker(async ({ pos }) => void calls.push(pos), at(0), clock);
  marker.moveTo(at(4));
  marker.stop();
  await clock.advance(60_000);
  expect(calls).toEqual([]);
});

it('tells at once when its page may go, what is not known to be told, once', async () => {
  const clock = new FakeClock();
  const [calls, last]: [number[], number[]] = [[], []];
  const marker = new ReadMarker(async ({ pos }) => void calls.push(pos), at(3), clock);
  const leave = () => marker.flush(async ({ pos }) => void last.push(pos));
  leave();
  marker.moveTo(at(4));
  leave();
  leave();
  await settle();
  expect([calls, last]).toEqual([[], [4]]);
  await clock.advance(60_000);
  expect([calls, clock.pending]).toEqual([[], 0]);
  marker.moveTo(at(5));
  await clock.advance(1_000);
  leave();
  expect([calls, last]).toEqual([[5], [4]]);
});

it('tells as ever where the page stays, and the last call has failed', async () => {
  const clock = new FakeClock();
  const calls: number[] = [];
  const marker = new ReadMarker(async ({ pos }) => void calls.push(pos), at(0), clock);
  marker.moveTo(at(4));
  marker.flush(() => Promise.reject(new NetworkError('away')));
  await clock.advance(1_000);
  expect(calls).toEqual([4]);
});

it('tells again what is under way, for its answer would come too late', async () => {
  const clock = new FakeClock();
  const last: number[] = [];
  const marker = new ReadMarker(() => new Promise(() => {}), at(0), clock);
  marker.moveTo(at(4));
  await clock.advance(1_000);
  marker.flush(async ({ pos }) => void last.push(pos));
  expect(last).toEqual([4]);
});

it('drops what it was to tell when something was marked as unread, and tells what is read after that', async () => {
  const clock = new FakeClock();
  const calls: object[] = [];
  const marker = new ReadMarker(async (place) => void calls.push(place), at(3), clock);
  marker.moveTo(at(9));
  marker.learn(at(4, 1));
  await clock.advance(60_000);
  expect(calls).toEqual([]);
  marker.moveTo(at(5, 1));
  marker.moveTo(at(12));
  await clock.advance(1_000);
  expect(calls).toEqual([at(5, 1)]);
});

it('stands where it was answered, though it was to be beyond the last message', async () => {
  const clock = new FakeClock();
  const calls: number[] = [];
  const marker = new ReadMarker(async ({ pos }) => {
    calls.push(pos);
    return { read_pos: Math.min(pos, 10) };
  }, at(5), clock);
  marker.moveTo(at(99));
  await clock.advance(60_000);
  expect([calls, clock.pending]).toEqual([[99], 0]);
  // What comes after is told again.
  marker.moveTo(at(11));
  await clock.advance(1_000);
  expect(calls).toEqual([99, 11]);
});
