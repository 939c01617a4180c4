import { expect, it } from 'vitest';
import { MAX_RECONNECT_MS } from '../../protocol/limits.ts';
import { reconnectWindowMs } from './reconnect-window.ts';

it('has a lone socket come back at once, and a herd in a window that grows with it up to the limit (P39)', () => {
  expect([0, 1, 2, 100, 9_000].map(reconnectWindowMs)).toEqual([0, 0, 254, 450, 18_250]);
  expect(reconnectWindowMs(1_000_000)).toBe(MAX_RECONNECT_MS);
});
