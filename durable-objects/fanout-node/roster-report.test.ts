import { beforeEach, expect, it } from 'vitest';
import { RosterReport } from './roster-report.ts';

let now: number;
let users: Set<number>;
let calls: number[][];
let away: boolean;
let roster: RosterReport;

beforeEach(() => {
  [now, users, calls, away] = [1_000_000, new Set(), [], false];
  roster = new RosterReport({
    clock: () => now,
    users: () => users,
    report: async (reported) => {
      calls.push([...reported]);
      if (away) throw new Error('away');
    },
  });
});

/** Tidies up every second, as a node does, until there is nothing to do; how many seconds that took. */
async function settle(): Promise<number> {
  let seconds = 0;
  for (; !roster.settle(); seconds++) {
    now += 1_000;
    await Promise.resolve();
    if (seconds > 100) throw new Error('it keeps the node awake');
  }
  return seconds;
}

it('reports at once, then once in 5 s however many come and go, and ends (G8)', async () => {
  for (let second = 0; second < 60; second++) {
    users = new Set([second]);
    roster.changed();
    roster.settle();
    now += 1_000;
    await Promise.resolve();
  }
  await settle();
  expect([calls.length, calls.at(-1)]).toEqual([13, [59]]);
});

it('says nothing where the same users are there, unless the room asks', async () => {
  users = new Set([1, 2]);
  for (let n = 0; n < 3; n++) {
    roster.changed();
    await settle();
  }
  expect(calls).toEqual([[1, 2]]);
  roster.demand();
  await settle();
  expect(calls).toEqual([[1, 2], [1, 2]]);
});

it('gives up after three attempts, so that a node whose room is away can sleep, and goes on when the room asks', async () => {
  away = true;
  users = new Set([1]);
  roster.changed();
  expect(await settle()).toBeLessThan(20);
  expect(calls.length).toBe(3);
  away = false;
  roster.demand();
  await settle();
  expect(calls.length).toBe(4);
});
