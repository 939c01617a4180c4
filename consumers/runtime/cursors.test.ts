import { describe, expect, it } from 'vitest';
import { LOG_START } from '../../db/queries/event-log.ts';
import { cutFetched, offsetOf } from './kafka-batch.ts';
import { formatLogCursor, parseLogCursor } from './log-cursor.ts';

const inWindow = { base: '10:20:11,15', baseTakenAt: '2026-11-23 12:00:00.123456+00', target: '20:25:', targetTakenAt: '2026-11-23 12:00:01+00', after: 41 };

describe('log cursor notation', () => {
  it.each([LOG_START, inWindow])('keeps a cursor', (cursor) => expect(parseLogCursor(formatLogCursor(cursor))).toEqual(cursor));
  it.each(['', '17', '10:20:', 'a|b|c|d|e', '10:20:|now||'])('takes %j for no cursor of the log', (text) => expect(parseLogCursor(text)).toBeNull());
});

describe('Kafka batches', () => {
  const message = (offset: string) => ({ offset, key: null, value: null, timestamp: '0', attributes: 0, headers: {} });
  const fetched = (from: string | null, ...offsets: string[]) => ({ topic: 'message.events' as const, partition: 2, messages: offsets.map(message), from });
  const offsets = (records: readonly { offset: string }[] | null | undefined) => records?.map(({ offset }) => offset) ?? null;

  it('reads a stored cursor as an offset, and that of another transport as none', () => {
    expect([offsetOf('12'), offsetOf(null), offsetOf(formatLogCursor(inWindow))]).toEqual([12n, null, null]);
  });

  it('cuts a fetch into batches that continue one another', () => {
    const batches = [...cutFetched(fetched('5', '5', '6', '9', '10', '11'), 2)];
    expect(batches.map(({ cursor }) => cursor)).toEqual(['7', '11', '12']);
    expect(batches.map(({ records }) => records.length)).toEqual([2, 2, 1]);
    expect(offsets(batches[1]?.unseen('7'))).toEqual(['9', '10']);
  });

  it('G2: hands out only what lies behind the stored cursor', () => {
    const [batch] = cutFetched(fetched('5', '5', '6', '7'), 10);
    expect(offsets(batch?.unseen('5'))).toEqual(['5', '6', '7']);
    expect(offsets(batch?.unseen('7'))).toEqual(['7']);
    expect(offsets(batch?.unseen('30'))).toEqual([]);
  });

  it('G1: refuses to leap over records it was not read on from', () => {
    const [batch] = cutFetched(fetched('5', '5', '6'), 10);
    expect(batch?.unseen('3')).toBeNull();
    expect(batch?.unseen(null)).toBeNull();
  });

  it('goes on where the topic begins by now, if that is what it was read on from', () => {
    const [batch] = cutFetched(fetched('5', '100', '101'), 10);
    expect(offsets(batch?.unseen('5'))).toEqual(['100', '101']);
  });
});
