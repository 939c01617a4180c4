import { describe, expect, it } from 'vitest';
import type { Decoded } from './decode.ts';
import { sortBatch } from './intake.ts';
import type { SourceRecord } from './record.ts';

const record: SourceRecord = { topic: 'message.events', partition: 0, offset: '0', key: null, value: null, headers: {} };
const event = (key: string, position: number): Decoded<number> => ({ kind: 'event', record, key, position, event: position });
const fatal = (key: string | null, position: number | null): Decoded<number> => ({
  kind: 'fatal', record, key, position, failure: { errorClass: 'bad', errorMessage: '' },
});

describe('sortBatch', () => {
  it('G2: drops what is not above the highest of its key, stored or in the batch', () => {
    const intake = sortBatch([event('a', 5), event('a', 6), event('b', 1), event('a', 6), event('a', 5), event('a', 9)], new Map([['a', 5]]), new Set());
    expect(intake.fresh.map(({ key, position }) => [key, position])).toEqual([['a', 6], ['b', 1], ['a', 9]]);
    expect(intake.duplicates).toBe(3);
    expect([...intake.positions]).toEqual([['a', 9], ['b', 1]]);
  });

  it('G3: queues the records of a parked key and lets other keys go on', () => {
    const intake = sortBatch([event('a', 1), event('b', 2), event('a', 3)], new Map(), new Set(['a']));
    expect(intake.queued.map(({ parkedKey }) => parkedKey)).toEqual(['a', 'a']);
    expect(intake.fresh.map(({ key }) => key)).toEqual(['b']);
    expect([...intake.positions]).toEqual([['a', 3], ['b', 2]]);
  });

  it('gives up a fatal record once, also when it comes again, and the parked key of another stays out of it', () => {
    const intake = sortBatch([fatal('a', 4), fatal('a', 4), event('a', 5), fatal(null, null)], new Map(), new Set(['a']));
    expect(intake.fatal).toHaveLength(2);
    expect(intake.duplicates).toBe(1);
    expect(intake.queued).toHaveLength(1);
  });

  it('takes no note of what passes by', () => {
    expect(sortBatch([{ kind: 'passed', record }], new Map(), new Set())).toMatchObject({ fresh: [], duplicates: 0, positions: new Map() });
  });
});
