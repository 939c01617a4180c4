import { problemDocument, type ErrorCode } from '../../protocol/errors.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { Connection, type ConnectionOptions, type Cursor } from '../connection.ts';
import { ProblemError } from '../errors.ts';
import type { ConnectionState } from '../lifecycle.ts';
import type { RoomWire } from '../wires.ts';
import { FakeClock, settle } from './fake-clock.ts';
import { FakeServer } from './fake-socket.ts';

export const problem = (code: ErrorCode) => new ProblemError(problemDocument({ code }));
const event = (seq: number): ChannelEvent => ({ type: 'message.deleted', seq, id: `e${seq}`, at: 'now', actor_id: 'a', message_id: 'm', thread_id: null });
export const frame = (from: number, to: number, epoch = 1) => ({
  type: 'events' as const, epoch, from, to, events: Array.from({ length: to - from + 1 }, (_, i) => event(from + i)),
});
/** What answers a welcome at 5. */
export const hello = { type: 'ack', seq: 5 };

export async function connect(options: Partial<ConnectionOptions> = {}) {
  const clock = new FakeClock();
  const server = new FakeServer();
  const states: ConnectionState[] = [];
  const heard: number[] = [];
  const resets: Cursor[] = [];
  const told: string[] = [];
  const connection = new Connection<RoomWire>(
    { url: new URL('ws://colink.test/v1/channels/c/socket'), since: { epoch: 1, seq: 5 }, openSocket: server.openSocket, clock, random: () => 0.5, ...options },
    { stateChanged: (state) => states.push(state), events: (events) => heard.push(...events.map(({ seq }) => seq)), reset: (cursor) => resets.push(cursor), state: (frame) => told.push(frame.type) },
  );
  connection.start();
  await settle();
  const waits = () => (connection.state.name === 'waiting' ? connection.state.retryAt - clock.now() : -1);
  return { clock, server, states, heard, resets, told, connection, waits, retry: () => clock.advance(waits()) };
}

export async function open(options: Partial<ConnectionOptions> = {}) {
  const all = await connect(options);
  all.server.latest.welcome({ seq: 5, recovered: true });
  return all;
}
