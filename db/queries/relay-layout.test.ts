import { describe, expect, it } from 'vitest';
import { LOG_START } from './event-log.ts';
import { compareSnapshots, hindmost, type ShardState } from './relay-layout.ts';

const state = (shard: number, over: Partial<ShardState>): ShardState => ({
  shard, shards: 2, fence: '1', base: '10:20:', baseTakenAt: 'then', target: null, targetTakenAt: null, after: 0, ...over,
});

describe('snapshots of one server', () => {
  it('are in the order of their ends, and then of what has ended since', () => {
    const inOrder = ['3:3:', '9:10:9', '9:12:9,11', '9:12:9', '12:12:', '99:100:99', '100:1000:100,101'];
    expect(inOrder.toReversed().toSorted(compareSnapshots)).toEqual(inOrder);
  });
});

describe('the place that no shard stands before', () => {
  it('is where all stand, in the middle of a window that they share', () => {
    const window = { target: '20:30:', targetTakenAt: 'later' };
    expect(hindmost([state(0, { ...window, after: 70 }), state(1, { ...window, after: 40 })])).toMatchObject({ base: '10:20:', target: '20:30:', after: 40 });
  });

  it('is the earliest base, with its window to be surveyed anew, where they differ', () => {
    const states = [state(0, { base: '10:21:' }), state(1, { target: '20:30:', targetTakenAt: 'later', after: 40 })];
    expect(hindmost(states)).toEqual({ base: '10:20:', baseTakenAt: 'then', target: null, targetTakenAt: null, after: 0 });
  });

  it('is the start of the log while a shard has not begun, or none has', () => {
    expect(hindmost([state(1, {})])).toEqual(LOG_START);
    expect(hindmost([])).toEqual(LOG_START);
  });
});
