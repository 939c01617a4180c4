import { expect, test } from 'vitest';
import { difference, toUsage } from './idle.ts';

const operations = { calls: { 'room.fetch': 5, 'room.webSocketMessage': 10 }, rowsRead: 7, rowsWritten: 8, writes: { 'room: UPDATE log_state': 8 }, alarmsSet: 1, awakeMs: 1_000 };

test('what was done between two readings', () => {
  const later = { calls: { 'room.fetch': 5, 'room.webSocketMessage': 14, 'room.alarm': 2 }, rowsRead: 9, rowsWritten: 9, writes: { 'room: UPDATE log_state': 9 }, alarmsSet: 3, awakeMs: 3_500 };
  expect(difference(later, operations)).toEqual({
    calls: { 'room.webSocketMessage': 4, 'room.alarm': 2 }, rowsRead: 2, rowsWritten: 1, writes: { 'room: UPDATE log_state': 1 }, alarmsSet: 2, awakeMs: 2_500,
  });
});

test('calls, alarms and RPC are requests; messages of sockets are counted apart, wake-ups not at all', () => {
  const calls = { 'room.fetch': 2, 'room.executeEach': 3, 'room.alarm': 1, 'hub.report': 4, 'room.webSocketMessage': 50, 'room.webSocketClose': 1, 'room.constructor': 9 };
  expect(toUsage({ ...operations, calls }, 6)).toEqual({
    workerRequests: 6, objectRequests: 11, socketMessages: 50, rowsRead: 7, rowsWritten: 8, alarmsSet: 1, awakeSeconds: 1,
  });
});
