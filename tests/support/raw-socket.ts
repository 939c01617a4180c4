import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { ChannelEvent } from '../../protocol/events.ts';
import { type ServerFrame, serverFrameSchema } from '../../protocol/frames.ts';
import { SUBPROTOCOL } from '../../protocol/version.ts';

/** A socket that was welcomed and has answered, as clients do. Its frames are kept as they come, and nothing is done about its end. */
export interface RawSocket {
  readonly socket: WebSocket;
  readonly frames: readonly ServerFrame[];
  events(): ChannelEvent[];
  /** Those behind what the log held at the welcome. `events` has more: what Postgres had not taken by then comes first. */
  live(): ChannelEvent[];
  /** The code of the close. */
  readonly closed: Promise<number>;
}

export async function openRawSocket(baseUrl: string, channelId: string, token: string): Promise<RawSocket> {
  const url = `${baseUrl.replace('http', 'ws')}/v1/channels/${channelId}/socket`;
  const socket = new WebSocket(url, SUBPROTOCOL, { headers: { authorization: `Bearer ${token}` } });
  const frames: ServerFrame[] = [];
  socket.on('error', () => {});
  socket.on('message', (data) => frames.push(serverFrameSchema.parse(JSON.parse(String(data)))));
  const closed = once(socket, 'close').then(([code]) => Number(code));
  for (const deadline = performance.now() + 10_000; frames[0]?.type !== 'welcome'; await sleep(10)) {
    if (performance.now() > deadline || socket.readyState === WebSocket.CLOSED) throw new Error('the socket was not welcomed');
  }
  const { seq, head } = frames[0];
  socket.send(JSON.stringify({ type: 'ack', seq }));
  const events = () => frames.flatMap((frame) => (frame.type === 'events' ? frame.events : []));
  return { socket, frames, closed, events, live: () => events().filter((event) => event.seq > head) };
}

/** Headers of a handshake, for one that is to be refused and so answered by HTTP. */
export const HANDSHAKE: Readonly<Record<string, string>> = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  'sec-websocket-protocol': SUBPROTOCOL,
};
