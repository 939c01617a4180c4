import { describe, expect, it } from 'vitest';
import { checkTopic } from './topic-checker.ts';
import type { TopicRecord } from './topic.ts';

const row = (position: number, key: string, value = `v${position}`): TopicRecord => ({ position, key, value });
const log = [row(1, 'a'), row(2, 'b'), row(3, 'a'), row(4, 'a'), row(5, 'b')];
const kindsOf = (topic: readonly TopicRecord[]): string[] => checkTopic(log, topic).violations.map(({ kind, detail }) => `${kind} ${detail}`);

describe('topic checker', () => {
  it('finds nothing where each key is whole and in order, however keys interleave', () => {
    expect(checkTopic(log, [row(2, 'b'), row(5, 'b'), row(1, 'a'), row(3, 'a'), row(4, 'a')])).toEqual({ violations: [], records: 5, repeated: 0 });
  });

  it('takes what comes again, once its place was passed, for a repetition', () => {
    const topic = [row(1, 'a'), row(3, 'a'), row(1, 'a'), row(3, 'a'), row(4, 'a'), row(2, 'b'), row(2, 'b'), row(5, 'b')];
    expect(checkTopic(log, topic)).toEqual({ violations: [], records: 8, repeated: 3 });
  });

  it('reports a row that is missing', () => {
    expect(kindsOf([row(1, 'a'), row(4, 'a'), row(2, 'b'), row(5, 'b')])).toEqual(['lost 3 of a']);
  });

  it('tells what is missing at the end of a key, and may still come, from what was passed over', () => {
    expect(kindsOf([row(1, 'a'), row(3, 'a')])).toEqual(['unseen 4 of a', 'unseen 2 of b', 'unseen 5 of b']);
  });

  it('reports a row that comes behind a later one', () => {
    expect(kindsOf([row(1, 'a'), row(4, 'a'), row(3, 'a'), row(2, 'b'), row(5, 'b')])).toEqual(['reordered 3 of a']);
  });

  it('reports a record of no row, and one that is not as its row', () => {
    expect(kindsOf([row(1, 'a'), row(3, 'a'), row(4, 'a'), row(6, 'a'), row(2, 'b', 'other'), row(5, 'b')])).toEqual(['ghost 6 of a', 'differs 2 of b']);
  });
});
