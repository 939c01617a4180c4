import { expect, test } from 'vitest';
import { bill } from './billing.ts';

const nothing = { workerRequests: 0, objectRequests: 0, socketMessages: 0, rowsRead: 0, rowsWritten: 0, alarmsSet: 0, awakeSeconds: 0 };

test('twenty messages of sockets are one request, an alarm is a row, and an object awake is 128 MB', () => {
  const usage = { ...nothing, workerRequests: 1, objectRequests: 2, socketMessages: 60, rowsWritten: 3, alarmsSet: 1, rowsRead: 7, awakeSeconds: 10 };
  expect(bill(usage, 2)).toMatchObject({ worker_requests: 2, object_requests: 10, rows_written: 8, rows_read: 14, gb_seconds: 2.56 });
});

test.each([
  [{ workerRequests: 1_000_000 }, 0.3],
  [{ objectRequests: 1_000_000 }, 0.15],
  [{ socketMessages: 1_000_000 }, 0.0075],
  [{ rowsWritten: 1_000_000 }, 1],
  [{ alarmsSet: 1_000_000 }, 1],
  [{ rowsRead: 1_000_000 }, 0.001],
  [{ awakeSeconds: 1_000_000 }, 1.6],
])('%o is $%d', (usage, dollars) => expect(bill({ ...nothing, ...usage }, 1).dollars).toBeCloseTo(dollars, 6));

test('nothing costs nothing', () => expect(bill(nothing, 1_000_000).dollars).toBe(0));
