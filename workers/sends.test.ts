import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Outcome } from '../protocol/errors.ts';
import type { CommandResult } from '../protocol/frames.ts';
import { Sends, type Caller } from './sends.ts';

const result = (name: string): Outcome<CommandResult> => ({
  ok: { message_id: name, seq: 1, pos: 1, thread_id: null, tpos: null, at: '2026-11-23T10:00:00.000Z', changed: true },
});

let calls: string[][];
let sends: Sends<string>;
const caller: Caller<string> = {
  call: async (names) => {
    calls.push([...names]);
    return names.map(result);
  },
  keep: (work) => void work,
};

beforeEach(() => {
  vi.useFakeTimers();
  calls = [];
  sends = new Sends(Date.now);
});
afterEach(() => vi.useRealTimers());

it('sends alone what comes alone, at once', async () => {
  expect(await sends.execute('room', 'a', caller)).toEqual(result('a'));
  await vi.advanceTimersByTimeAsync(2);
  expect(await sends.execute('room', 'b', caller)).toEqual(result('b'));
  expect(calls).toEqual([['a'], ['b']]);
});

it('shares a call among those that come soon after another, and gives each its own answer', async () => {
  const outcomes = ['a', 'b', 'c', 'd'].map((name) => sends.execute('room', name, caller));
  await vi.advanceTimersByTimeAsync(2);
  expect(calls).toEqual([['a'], ['b', 'c', 'd']]);
  expect(await Promise.all(outcomes)).toEqual(['a', 'b', 'c', 'd'].map(result));
});

it('keeps rooms apart', async () => {
  await Promise.all([sends.execute('one', 'a', caller), sends.execute('two', 'b', caller)]);
  expect(calls).toEqual([['a'], ['b']]);
});

it('has at most 100 wait (G8)', async () => {
  const outcomes = Array.from({ length: 150 }, (_, n) => sends.execute('room', `m${n}`, caller));
  expect(calls.map((names) => names.length)).toEqual([1, 101]);
  await vi.advanceTimersByTimeAsync(2);
  await Promise.all(outcomes);
  expect(calls.map((names) => names.length)).toEqual([1, 101, 48]);
});

it('tells everyone of a call that failed', async () => {
  const broken = { ...caller, call: async () => Promise.reject(new Error('reset')) };
  await sends.execute('room', 'first', caller);
  const outcomes = ['a', 'b'].map((name) => sends.execute('room', name, broken));
  const failures = Promise.all(outcomes.map((outcome) => expect(outcome).rejects.toThrow('reset')));
  await vi.advanceTimersByTimeAsync(2);
  await failures;
});

it('does not wait forever for a call whose request was cut off: the sender is told to repeat (G1, G8)', async () => {
  const cutOff = { ...caller, call: () => new Promise<never>(() => {}) };
  await sends.execute('room', 'first', caller);
  void sends.execute('room', 'cut off', cutOff);
  const waiting = sends.execute('room', 'a', caller);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await waiting).toEqual({ problem: { code: 'unavailable', retry_after: 1 } });
});

it('is called by another waiting request where the first one was cut off before its time', async () => {
  await sends.execute('room', 'first', caller);
  const timers = vi.spyOn(globalThis, 'setTimeout').mockReturnValue(0 as never);
  void sends.execute('room', 'cut off', caller);
  timers.mockRestore();
  const waiting = sends.execute('room', 'a', caller);
  await vi.advanceTimersByTimeAsync(2);
  expect(await waiting).toEqual(result('a'));
  expect(calls).toEqual([['first'], ['cut off', 'a']]);
});
