import { beforeEach, describe, expect, it } from 'vitest';
import { id } from '../../tests/support/room-core.ts';
import { Typing, type TypingChange, typingFrames, type TypingUsers } from './typing.ts';

const [ADA, BOB] = [id(2, 1), id(2, 2)];
const entry = (user_id: string, thread_id: string | null = null) => ({ user_id, thread_id });

let now: number;
let timers: { readonly at: number; readonly task: () => void }[];
let told: { readonly at: number; readonly users: TypingUsers }[];
let sockets: number;
let typing: Typing;

beforeEach(() => {
  [now, timers, told, sockets] = [0, [], [], 2];
  typing = new Typing({ clock: () => now, schedule: (ms, task) => void timers.push({ at: now + ms, task }), tell });
});

function tell(change: TypingChange): number {
  told.push({ at: now, users: change.now });
  return sockets;
}

/** Lets time pass up to `at`, timer by timer. */
function until(at: number): void {
  for (let next = soonest(at); next !== undefined; next = soonest(at)) {
    timers.splice(timers.indexOf(next), 1);
    now = next.at;
    next.task();
  }
  now = at;
}

const soonest = (at: number) => timers.filter((timer) => timer.at <= at).toSorted((a, b) => a.at - b.at)[0];

/** Typing again and again, as clients do. */
function keepTyping(userId: string, ms: number, every = 1_000): void {
  for (const end = now + ms; now < end; until(now + every)) typing.typed(userId, null);
}

describe('Typing', () => {
  it('tells the first at once, ends them after 5 s, and then leaves no timer, so that the room can sleep (P26)', () => {
    typing.typed(ADA, null);
    until(20_000);
    expect(told).toEqual([{ at: 0, users: [entry(ADA)] }, { at: 5_000, users: [] }]);
    expect(timers).toEqual([]);
  });

  it('tells nothing anew of who types on', () => {
    keepTyping(ADA, 30_000);
    expect(told).toEqual([{ at: 0, users: [entry(ADA)] }]);
  });

  it('takes one in 3 s of a user, whichever sockets and threads they type in (P26)', () => {
    typing.typed(ADA, null);
    until(2_900);
    typing.typed(ADA, id(9, 1));
    until(3_000);
    typing.typed(ADA, id(9, 2));
    until(7_000);
    expect(told.map(({ users }) => users)).toEqual([[entry(ADA)], [entry(ADA, id(9, 2))]]);
    until(9_000);
    expect(told.at(-1)?.users).toEqual([]);
  });

  it('ends with the message that was typed (P26)', () => {
    typing.typed(ADA, null);
    typing.ended(ADA);
    until(5_000);
    expect(told).toEqual([{ at: 0, users: [entry(ADA)] }, { at: 1_000, users: [] }]);
  });

  it('sends a socket at most one frame a second, however many begin and end', () => {
    for (; now < 30_000; until(now + 70)) {
      typing.typed(id(2, (now / 70) % 7), null);
      typing.ended(id(2, (now / 70) % 5));
    }
    expect(told.length).toBeGreaterThan(20);
    const gaps = told.slice(1).map(({ at }, index) => at - (told[index]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000);
  });

  it('tells a large room less often, and at most 20 names (G8)', () => {
    sockets = 6_000;
    for (let n = 0; n < 30; n++) typing.typed(id(2, n), null);
    until(2_999);
    expect(told).toEqual([{ at: 0, users: [entry(id(2, 0))] }]);
    until(3_000);
    expect(told.at(-1)?.users).toHaveLength(20);
  });
});

describe('typingFrames', () => {
  const usersOf = (frame: string | null): unknown => (frame === null ? null : JSON.parse(frame).users);

  it('tell everybody of the others, and nobody what has not changed for them', () => {
    const frameFor = typingFrames({ before: [entry(ADA)], now: [entry(ADA), entry(BOB)] });
    expect([id(2, 3), ADA, BOB].map((userId) => usersOf(frameFor(userId)))).toEqual([[entry(ADA), entry(BOB)], [entry(BOB)], null]);
  });

  it('are encoded once for all who do not type', () => {
    const frameFor = typingFrames({ before: [], now: [entry(ADA)] });
    expect(frameFor(BOB)).toBe(frameFor(id(2, 9)));
  });
});
