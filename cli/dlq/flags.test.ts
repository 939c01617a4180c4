import { describe, expect, it } from 'vitest';
import { filterFlags, readFilter, readFlags, readSelection } from './flags.ts';

const ID = '0197f7a0-0000-7000-8000-000000000001';
const filterOf = (flags: object) => readFilter(readFlags(filterFlags, flags));

describe('the flags of colink dlq', () => {
  it('are a filter; times are moments or so long ago', () => {
    expect(filterOf({ group: 'notifier', errorClass: 'TypeError', topic: 'user.events', '--': [] })).toEqual({ group: 'notifier', error_class: 'TypeError', topic: 'user.events' });
    expect(filterOf({ since: '2026-11-26T03:00:00Z' })).toEqual({ since: '2026-11-26T03:00:00.000Z' });
    const { since = '' } = filterOf({ since: '2h' });
    expect(Date.now() - Date.parse(since)).toBeGreaterThanOrEqual(7_200_000);
    expect(Date.now() - Date.parse(since)).toBeLessThan(7_260_000);
  });

  it.each<[object, RegExp]>([
    [{ since: 'yesterday' }, /since/],
    [{ topic: 'message.event' }, /topic/],
    [{ status: 'dead' }, /status/],
    [{ group: 'a b' }, /group/],
    [{ canary: 3 }, /canary/],
  ])('that mean nothing are refused: %j', (flags, words) => {
    expect(() => filterOf(flags)).toThrow(words);
  });

  it('name letters or filter them; all of them only by a word of its own', () => {
    expect(readSelection([ID], { all: false })).toEqual({ ids: [ID] });
    expect(readSelection([], { all: false, group: 'notifier' })).toEqual({ filter: { group: 'notifier' } });
    expect(readSelection([], { all: true })).toEqual({ filter: {} });
    expect(() => readSelection([], { all: false })).toThrow('which ones?');
    expect(() => readSelection([ID], { all: false, group: 'notifier' })).toThrow('not both');
    expect(() => readSelection([ID], { all: true })).toThrow('not both');
    expect(() => readSelection(['17'], { all: false })).toThrow('UUID');
    expect(() => readSelection([], { all: false, status: 'redriven' })).toThrow('only pending');
  });
});
