import { describe, expect, it } from 'vitest';
import { StallDetector } from './stall-detector.ts';
import type { StreamLag } from './stream-lag.ts';

const never = (): null => null;
const stream = (records: number, cursor: string | null, partition = 0): StreamLag => ({ topic: 'message.events', partition, records, cursor, takenAt: null });

describe('StallDetector', () => {
  it('tells a stream that lags and has not moved for as long as is a stall, and no other', () => {
    const detector = new StallDetector(60);
    expect(detector.look([stream(5, '10', 0), stream(5, '10', 1), stream(0, '10', 2)], 0, never)).toEqual([]);
    expect(detector.look([stream(9, '10', 0), stream(5, '11', 1), stream(0, '10', 2)], 59, never)).toEqual([]);
    expect(detector.look([stream(9, '10', 0), stream(5, '11', 1), stream(0, '10', 2)], 60, never)).toEqual(['message.events/0']);
  });

  it('tells a stream that was never taken from', () => {
    const detector = new StallDetector(60);
    detector.look([stream(5, null)], 0, never);
    expect(detector.look([stream(5, null)], 60, never)).toEqual(['message.events/0']);
  });

  it('counts from when there was something to take', () => {
    const detector = new StallDetector(60);
    detector.look([stream(0, '10')], 0, never);
    detector.look([stream(1, '10')], 50, never);
    expect(detector.look([stream(1, '10')], 100, never)).toEqual([]);
    expect(detector.look([stream(1, '10')], 110, never)).toEqual(['message.events/0']);
  });

  it('takes a stream whose batches fail, or are stored under one cursor, for one at work, until it has been silent for as long', () => {
    const detector = new StallDetector(60);
    detector.look([stream(5, '10')], 0, never);
    expect(detector.look([stream(5, '10')], 70, () => 65)).toEqual([]);
    expect(detector.look([stream(5, '10')], 124, () => 65)).toEqual([]);
    expect(detector.look([stream(5, '10')], 125, () => 65)).toEqual(['message.events/0']);
  });

  it('begins anew when told to, and for a stream it no longer holds', () => {
    const detector = new StallDetector(60);
    detector.look([stream(5, '10')], 0, never);
    detector.forget();
    expect(detector.look([stream(5, '10')], 60, never)).toEqual([]);
    detector.look([], 100, never);
    expect(detector.look([stream(5, '10')], 130, never)).toEqual([]);
  });
});
