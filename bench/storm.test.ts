import { expect, test } from 'vitest';
import { countQueries } from './storm.ts';

test('queries are counted by who asks; the drain apart, the bench not at all', () => {
  const queries = [
    { application: 'colink-worker', statement: 'SELECT id FROM credentials' },
    { application: 'colink-room', statement: 'SELECT status, drained_seq FROM drain_conversation($1)' },
    { application: 'colink-room', statement: 'SELECT * FROM event_log' },
    { application: 'colink-inbox', statement: 'SELECT 1' },
    { application: 'colink-bench', statement: 'SELECT 1' },
    { application: '', statement: 'VACUUM' },
  ];
  expect(countQueries(queries)).toEqual({ drain: 1, worker: 1, objects: 2 });
});
