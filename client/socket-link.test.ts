import { expect, it } from 'vitest';
import { FakeClock } from './testing/fake-clock.ts';
import { FakeSocket } from './testing/fake-socket.ts';
import { SocketLink } from './socket-link.ts';

it('pings every 25 s, however much it receives: the server knows of it by nothing else (P40)', async () => {
  const [clock, socket] = [new FakeClock(), new FakeSocket('ws://colink.test/', [])];
  const ends: number[] = [];
  const link = new SocketLink(socket, clock, { frame: () => {}, closed: (code) => ends.push(code) });
  link.keepAlive(25);
  for (let second = 0; second < 100; second += 5) {
    await clock.advance(5_000);
    socket.deliver({ type: 'typing', users: [] });
  }
  expect(socket.sent).toEqual(Array.from({ length: 4 }, () => 'ping'));
  expect(ends).toEqual([]);
});
