import { beforeEach, describe, expect, it } from 'vitest';
import { DrainLoop } from './drain-loop.ts';
import type { LogEvent } from './event-log.ts';

const event = (seq: number): LogEvent => ({ seq, json: `{"seq":${seq}}`, bytes: 10 });

/** A log, a Postgres that can be away, and a clock that stands still; `sleep` returns at once. */
class World {
  now = 1_000;
  head = 0;
  drained = 0;
  away = false;
  alarm: number | null = null;
  batches = 0;
  naps: number[] = [];
  refused: string[] = [];
  reconciles = true;
  status: 'ok' | 'fenced' | 'gap' | 'unknown' = 'ok';

  readonly loop = new DrainLoop({
    pending: () => this.head - this.drained,
    undrained: (max) => Array.from({ length: Math.min(max, this.head - this.drained) }, (_, index) => event(this.drained + 1 + index)),
    durable: async () => {},
    drainBatch: async (json) => {
      this.batches += 1;
      if (this.away) throw new Error('away');
      return { status: this.status, drained_seq: (JSON.parse(json) as unknown[]).length + this.drained };
    },
    skipPoison: async ({ seq }) => ({ status: 'ok', drained_seq: seq }),
    markDrained: (seq) => {
      this.drained = seq;
    },
    isDataFault: () => false,
    clock: () => this.now,
    random: () => 0.5,
    sleep: async (ms) => void this.naps.push(ms),
    setAlarm: (at) => {
      this.alarm = at;
    },
    clearAlarm: () => {
      this.alarm = null;
    },
    observe: () => {},
    reconcile: async (status) => {
      this.refused.push(status);
      this.status = 'ok';
      return this.reconciles;
    },
  });

  append(count: number): void {
    this.head += count;
    this.loop.wake();
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});

describe('DrainLoop', () => {
  it('drains at once after quiet, and lets the next batch gather', async () => {
    world.append(1);
    world.append(4);
    await world.settle();
    expect([world.drained, world.batches, world.naps]).toEqual([5, 2, [50, 50]]);
    expect(world.loop.isRunning).toBe(false);
  });

  it('does not pause between full batches', async () => {
    world.append(3_000);
    await world.settle();
    expect([world.drained, world.batches, world.naps]).toEqual([3_000, 3, []]);
  });

  it('has an alarm from the first undrained event on, and none once it rests', async () => {
    world.append(1);
    expect(world.alarm).toBe(16_000);
    await world.settle();
    world.loop.rest();
    expect(world.alarm).toBeNull();
  });

  it('backs off by alarm while Postgres is away, more each time, and does not stir for appends', async () => {
    world.away = true;
    world.append(1);
    await world.settle();
    expect(world.alarm).toBe(1_000 + 50 + 250);
    world.append(1);
    await world.settle();
    expect(world.batches).toBe(1);
    await world.loop.alarm();
    expect(world.alarm).toBe(1_000 + 50 + 500);
    for (let n = 0; n < 20; n++) await world.loop.alarm();
    expect(world.alarm).toBe(1_000 + 50 + 15_000);
    world.away = false;
    await world.loop.alarm();
    expect([world.drained, world.loop.isRunning]).toEqual([2, false]);
  });

  it('keeps the alarm while it waits', async () => {
    world.away = true;
    world.append(1);
    await world.settle();
    world.loop.rest();
    expect(world.alarm).not.toBeNull();
  });

  it('goes on once it is reconciled', async () => {
    world.status = 'gap';
    world.append(2);
    await world.settle();
    expect([world.refused, world.drained]).toEqual([['gap'], 2]);
  });

  it('waits where it could not be reconciled', async () => {
    world.status = 'unknown';
    world.reconciles = false;
    world.append(2);
    await world.settle();
    expect([world.drained, world.alarm]).toEqual([0, 1_000 + 50 + 250]);
  });

  it('renews the net when its alarm rings during a long batch', async () => {
    world.append(1);
    world.now = 9_000;
    await world.loop.alarm();
    expect(world.alarm).toBe(24_000);
  });

  it('does nothing any more when it is stopped', async () => {
    world.loop.stop();
    world.append(1);
    await world.settle();
    expect([world.batches, world.alarm]).toEqual([0, null]);
  });
});
