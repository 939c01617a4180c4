import { expect, test } from 'vitest';
import { readQueries } from './query-log.ts';

test('statements are read from the log with who made them', () => {
  const log = [
    '2026-11-26 10:50:00.123 UTC [41] colink-worker LOG:  execute a1b2c3: ',
    '\t    SELECT c.id',
    '\t    FROM credentials c',
    '2026-11-26 10:50:00.124 UTC [42] colink-room LOG:  execute <unnamed>: SELECT status FROM drain_conversation($1)',
    '2026-11-26 10:50:00.125 UTC [42] colink-bench LOG:  statement: BEGIN',
    '2026-11-26 10:50:00.126 UTC [42] colink-bench ERROR:  duplicate key',
    '2026-11-26 10:50:00.127 UTC [9]  LOG:  checkpoint starting: time',
  ].join('\n');
  expect(readQueries(log)).toEqual([
    { application: 'colink-worker', statement: 'SELECT c.id FROM credentials c' },
    { application: 'colink-room', statement: 'SELECT status FROM drain_conversation($1)' },
    { application: 'colink-bench', statement: 'BEGIN' },
  ]);
});
