import { expect, it } from 'vitest';
import { OpenSockets } from './open-sockets.ts';
import { SOCKET_LIMITS, socketLimits } from './socket-limits.ts';

it('refuses any object one more where all together have as many as the process bears (G8)', () => {
  const open = new OpenSockets();
  const limits = { ...SOCKET_LIMITS, process: 5 };
  open.report('room', 3);
  open.report('inbox', 1);
  expect([open.total, open.refusal(limits)]).toEqual([4, null]);
  open.report('inbox', 2);
  expect(open.refusal(limits)).toMatchObject({ code: 'unavailable', retry_after: 30 });
  open.report('room', 0);
  expect([open.total, open.refusal(limits)]).toEqual([2, null]);
});

it('bears as many as one channel may have', () => {
  expect(socketLimits({ MAX_CHANNEL_SOCKETS: '50000' })).toMatchObject({ channel: 50_000, process: 50_000 });
  expect(socketLimits({ MAX_CHANNEL_SOCKETS: '100' })).toMatchObject({ channel: 100, process: 9_000 });
  expect(socketLimits({ MAX_CHANNEL_SOCKETS: 'x' })).toEqual(SOCKET_LIMITS);
});
