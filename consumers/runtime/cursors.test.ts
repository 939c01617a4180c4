import { describe, expect, it } from 'vitest';
import { LOG_START } from '../../db/queries/event-log.ts';
import { cutFetched } from './kafka-batch.ts';
import { behind, nextStep, offsetOf, type Place, type Step } from './kafka-cursor.ts';
import { formatLogCursor, parseLogCursor } from './log-cursor.ts';

const inWindow = { base: '10:20:11,15', baseTakenAt: '2026-11-23 12:00:00.123456+00', target: '20:25:', targetTakenAt: '2026-11-23 12:00:01+00', after: 41 };

describe('log cursor notation', () => {
  it.each([LOG_START, inWindow])('keeps a cursor', (cursor) => expect(parseLogCursor(formatLogCursor(cursor))).toEqual(cursor));
  it.each(['', '17', '10:20:', 'a|b|c|d|e', '10:20:|now||'])('takes %j for no cursor of the log', (text) => expect(parseLogCursor(text)).toBeNull());
});

describe('Kafka batches', () => {
  const message = (offset: string) => ({ offset, key: null, value: null, timestamp: '1', attributes: 0, headers: {} });
  const fetched = (from: string | null, ...offsets: string[]) => ({ topic: 'message.events' as const, partition: 2, messages: offsets.map(message), from });
  const offsets = (records: readonly { offset: string }[] | null | undefined) => records?.map(({ offset }) => offset) ?? null;

  it('reads a stored cursor as an offset, and that of another transport as none', () => {
    expect([offsetOf('12'), offsetOf('13@1764160000000'), offsetOf(null), offsetOf(formatLogCursor(inWindow))]).toEqual([12n, 13n, null, null]);
  });

  it('cuts a fetch into batches that continue one another', () => {
    const batches = [...cutFetched(fetched('5', '5', '6', '9', '10', '11'), 2)];
    expect(batches.map(({ cursor }) => cursor)).toEqual(['7@1', '11@1', '12@1']);
    expect(batches.map(({ records }) => records.length)).toEqual([2, 2, 1]);
    expect(offsets(batches[1]?.unseen('7@1'))).toEqual(['9', '10']);
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

  it('G1: compares no offsets with a cursor that may be of another topic', () => {
    const [first, second] = [...cutFetched({ ...fetched('500@7', '0', '1', '2', '3'), isAnew: true }, 2)];
    expect([offsets(first?.unseen('500@7')), offsets(first?.unseen('700@8'))]).toEqual([['0', '1'], null]);
    expect(offsets(second?.unseen('2@1'))).toEqual(['2', '3']);
  });

  it('goes on where the topic begins by now, if that is what it was read on from', () => {
    const [batch] = cutFetched(fetched('5', '100', '101'), 10);
    expect(offsets(batch?.unseen('5'))).toEqual(['100', '101']);
  });
});

describe('places in a partition', () => {
  const records = (...offsets: number[]) => offsets.map((offset) => ({ offset: String(offset), timestamp: String(1_000 + offset) }));
  const at = (from: string | null, state: Place['state']): Place => ({ from, state });

  it.each<[string, Place, readonly { offset: string; timestamp: string }[], Step]>([
    ['begins with the first record where nothing is stored', at(null, 'unsought'), records(0, 1), 'begin'],
    ['begins with the first record after the cursor of another transport', at(formatLogCursor(inWindow), 'unsought'), records(0, 1), 'begin'],
    ['begins with the first record behind nothing', at('0', 'unsought'), records(0, 1), 'begin'],
    ['takes the first records there are, wherever they begin', at(null, 'anew'), records(40, 41), 'take'],
    ['asks for the record before the cursor', at('8@1007', 'unsought'), records(8, 9), 'seek'],
    ['asks for it also where the records begin far before it', at('8@1007', 'unsought'), records(0, 1), 'seek'],
    ['goes on behind the record before the cursor', at('8@1007', 'sought'), records(7, 8), 'take'],
    ['goes on behind it without having asked', at('8@1007', 'unsought'), records(5, 6, 7, 8), 'take'],
    ['goes on behind it where the cursor does not say when it was written', at('8', 'sought'), records(7, 8), 'take'],
    ['goes on where it is past the retention', at('8@1007', 'sought'), records(30, 31), 'take'],
    ['knows a partition for another by the record before the cursor', at('8@5', 'sought'), records(7, 8), 'another'],
    ['takes what comes behind what was taken', at('8@1007', 'following'), records(8, 9), 'take'],
    ['asks again where the records begin anew in between', at('8@1007', 'following'), records(0, 1), 'seek'],
  ])('G1: a member %s', (_, place, fetched, step) => {
    expect(nextStep(place, fetched)).toBe(step);
  });

  it('G2: hands out what lies behind the cursor, and all of a partition that is read anew', () => {
    const seen = (place: Place) => behind(place, records(7, 8, 9)).map(({ offset }) => offset);
    expect([seen(at('8@1007', 'sought')), seen(at('8@5', 'anew'))]).toEqual([['8', '9'], ['7', '8', '9']]);
  });
});
