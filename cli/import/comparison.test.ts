import { describe, expect, test } from 'vitest';
import { createComparison, type ComparisonResult, type StoredMessage } from './comparison.ts';
import { clientMsgId, type IrcMessage } from './irc-file.ts';

const identity = '0123456789abcdef';
const file = (...lines: number[]): IrcMessage[] => lines.map((line) => ({ line, sent_at: '2004-12-25T09:14', author: 'nick', text: `text ${line}` }));
const stored = (line: number, change: Partial<StoredMessage> = {}): StoredMessage => ({
  client_msg_id: clientMsgId(identity, line),
  sent_at: '2004-12-25T09:14',
  author: 'nick',
  text: `text ${line}`,
  ...change,
});

async function compare(expected: IrcMessage[], held: StoredMessage[]): Promise<ComparisonResult> {
  const comparison = createComparison('Postgres', identity, (async function* () { yield* expected; })());
  for (const message of held) await comparison.take(message);
  return comparison.finish();
}

describe('a store against the file', () => {
  test('is exact when it holds every line once, in order', async () => {
    expect(await compare(file(1, 2, 4), [stored(1), stored(2), stored(4)])).toMatchObject({ exact: true, held: 3, equal: 3, differences: [] });
  });

  test('tells a missing line, and goes on behind it', async () => {
    expect(await compare(file(1, 2, 3, 4), [stored(1), stored(4)])).toMatchObject({
      exact: false,
      equal: 2,
      differences: ['line 2 is missing', 'line 3 is missing'],
    });
  });

  test('tells missing lines at the end', async () => {
    expect(await compare(file(1, 2), [stored(1)])).toMatchObject({ exact: false, differences: ['line 2 is missing'] });
  });

  test('tells a line that is there twice (G2)', async () => {
    expect(await compare(file(1, 2), [stored(1), stored(1), stored(2)])).toMatchObject({
      exact: false,
      equal: 2,
      differences: ['line 1 is there again or out of order'],
    });
  });

  test('tells two lines that changed places (G3)', async () => {
    expect(await compare(file(1, 2, 3), [stored(2), stored(1), stored(3)])).toMatchObject({
      exact: false,
      differences: ['line 1 is missing', 'line 1 is there again or out of order'],
    });
  });

  test.each(['text', 'author', 'sent_at'] as const)('tells another %s', async (field) => {
    expect(await compare(file(1), [stored(1, { [field]: 'other' })])).toMatchObject({
      exact: false,
      equal: 0,
      differences: [`line 1 has another ${field}: "other"`],
    });
  });

  test('tells what is not of the file', async () => {
    const result = await compare(file(1), [stored(1), stored(0, { client_msg_id: 'hello' }), stored(0, { client_msg_id: null })]);
    expect(result).toMatchObject({ exact: false, held: 3, equal: 1, differenceCount: 2 });
  });

  test('keeps only the first differences', async () => {
    const result = await compare(file(...Array.from({ length: 100 }, (_, index) => index + 1)), []);
    expect(result.differenceCount).toBe(100);
    expect(result.differences).toHaveLength(5);
  });
});
