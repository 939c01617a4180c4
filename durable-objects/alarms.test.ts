import { beforeEach, describe, expect, it } from 'vitest';
import { nodeSqlite } from '../tests/support/node-sqlite.ts';
import { Alarms } from './alarms.ts';
import type { SqlDriver } from './log/sql-driver.ts';

type Purpose = 'drain' | 'auth' | 'lease';
const PURPOSES: readonly Purpose[] = ['drain', 'auth', 'lease'];

let sql: SqlDriver;
let writes: number;
let armed: number | null;
let calls: number;
let alarms: Alarms<Purpose>;

const port = {
  setAlarm(at: number): void {
    armed = at;
    calls += 1;
  },
  clearAlarm(): void {
    armed = null;
    calls += 1;
  },
};
const counting = (driver: SqlDriver): SqlDriver => ({
  ...driver,
  run(statement, ...bindings) {
    writes += 1;
    return driver.run(statement, ...bindings);
  },
});
const ring = (now: number): Purpose[] => {
  armed = null;
  return alarms.due(now);
};

beforeEach(() => {
  [writes, calls, armed] = [0, 0, null];
  sql = nodeSqlite();
  alarms = new Alarms(counting(sql), PURPOSES, port);
});

describe('Alarms', () => {
  it('rings for the earliest, and then for the next', () => {
    alarms.set('lease', 3_000);
    alarms.set('drain', 1_000);
    alarms.set('auth', 2_000);
    expect(armed).toBe(1_000);
    expect([ring(1_000), armed]).toEqual([['drain'], 2_000]);
    expect([ring(5_000), armed]).toEqual([['lease', 'auth'], null]);
    expect(ring(9_000)).toEqual([]);
  });

  it('rings for what has no row, too; a later instance has to arm it again', () => {
    alarms.arm('drain', 1_000.5);
    alarms.set('auth', 2_000);
    expect([writes, armed, alarms.at('drain')]).toEqual([2, 1_001, 1_001]);
    const next = new Alarms(sql, PURPOSES, port);
    expect([next.at('drain'), next.at('auth')]).toEqual([null, 2_000]);
    next.arm('drain', 1_500);
    expect([armed, next.due(1_500), armed]).toEqual([1_500, ['drain'], 2_000]);
    alarms.clear('drain');
    expect(writes).toBe(2);
  });

  it('keeps the row that an earlier release has left up to date, until it is cleared', () => {
    alarms.set('drain', 1_000);
    const next = new Alarms(sql, PURPOSES, port);
    next.arm('drain', 3_000);
    expect(new Alarms(sql, PURPOSES, port).at('drain')).toBe(3_000);
    next.clear('drain');
    expect(new Alarms(sql, PURPOSES, port).at('drain')).toBeNull();
  });

  it('follows its earliest purpose, later and earlier, until none is left', () => {
    alarms.set('drain', 1_000);
    alarms.set('auth', 2_000);
    alarms.set('drain', 3_000);
    expect([armed, alarms.at('drain')]).toEqual([2_000, 3_000]);
    alarms.clear('auth');
    expect(armed).toBe(3_000);
    alarms.clear('drain');
    expect([armed, alarms.at('drain')]).toEqual([null, null]);
  });

  it('writes nothing, and leaves the platform alone, where nothing changes', () => {
    alarms.set('drain', 1_000);
    const before = [writes, calls];
    alarms.set('drain', 1_000);
    alarms.clear('auth');
    expect([writes, calls]).toEqual(before);
    alarms.set('auth', 2_000);
    expect([writes, calls]).toEqual([before[0] === undefined ? 0 : before[0] + 1, before[1]]);
  });

  it('is the same for the next instance, which sets nothing again', () => {
    alarms.set('drain', 1_000);
    alarms.set('auth', 2_000);
    const before = calls;
    alarms = new Alarms(sql, PURPOSES, port);
    expect([calls, alarms.at('auth')]).toEqual([before, 2_000]);
    expect(ring(1_000)).toEqual(['drain']);
    expect(armed).toBe(2_000);
  });

  it('passes over the purposes of another release', () => {
    alarms.set('lease', 1_000);
    const older = new Alarms<'drain'>(sql, ['drain'], port);
    expect(older.due(5_000)).toEqual([]);
  });

  it('takes what it was set for as due where the clock is behind', () => {
    alarms.set('drain', 1_000);
    alarms.set('auth', 1_001);
    expect([ring(998), armed]).toEqual([['drain'], 1_001]);
  });

  it('rings again for a purpose that sets itself anew', () => {
    alarms.set('drain', 1_000);
    ring(1_000);
    alarms.set('drain', 1_000);
    expect(armed).toBe(1_000);
  });

  it('does each purpose by itself: what fails is due again, and holds up no other, however often it fails (G1)', async () => {
    const done: string[] = [];
    let broken = true;
    const work = {
      auth: () => {
        if (broken) throw new Error('at once');
        done.push('auth');
      },
      lease: async () => {
        if (broken) throw new Error('later');
        done.push('lease');
      },
      drain: () => void done.push('drain'),
    };
    const failed: string[] = [];
    const rings = async (now: number): Promise<void> => {
      armed = null;
      await alarms.ring(now, work, (purpose) => failed.push(purpose));
    };
    for (const purpose of ['auth', 'lease', 'drain'] as const) alarms.set(purpose, 0);
    for (let n = 0; n < 20; n++) await rings(n * 30_000);
    expect([done, failed, armed]).toEqual([['drain'], Array.from({ length: 20 }, () => ['auth', 'lease']).flat(), 600_000]);
    broken = false;
    await rings(600_000);
    expect([done, armed]).toEqual([['drain', 'auth', 'lease'], null]);
  });

  it('is set again by an instance that finds it given up, and by no other', () => {
    alarms.set('drain', 1_000);
    alarms.set('auth', 9_000_000);
    const begins = (now: number): number | null => {
      armed = null;
      alarms = new Alarms(sql, PURPOSES, port);
      alarms.revive(now);
      return armed;
    };
    expect([begins(500), begins(1_000), begins(500_000), begins(700_000)]).toEqual([null, null, null, 1_000]);
    expect([ring(700_000), armed]).toEqual([['drain'], 9_000_000]);
  });

  it('is undone with what it guards (G1)', () => {
    const fails = (): void => sql.transaction(() => {
      alarms.set('drain', 1_000);
      throw new Error('rolled back');
    });
    expect(fails).toThrow('rolled back');
    expect(new Alarms(sql, PURPOSES, port).at('drain')).toBeNull();
  });
});
