import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, it, vi } from 'vitest';
import { Connection } from '../client/connection.ts';
import type { OpenSocket, WebSocketLike } from '../client/ports.ts';
import { FakeClock } from '../client/testing/fake-clock.ts';
import type { RoomWire } from '../client/wires.ts';
import { SOCKET_REQUEST_HEADER } from '../durable-objects/channel-room/room-api.ts';
import { roomFixture, type RoomFixture, sendOf } from '../durable-objects/channel-room/room-fixture.ts';
import { HibernatableSocket } from '../durable-objects/sockets/hibernatable-socket.ts';
import { SUBPROTOCOL } from '../protocol/version.ts';
import { soon } from './support/soon.ts';

/** Of the client: after it, a socket on which a result is missing is given up. */
const RESULT_WITHIN_MS = 15_000;

/** The client's own connection to a live room. Its clock stands but where the test moves it: however slow the machine, no deadline of the client's passes by itself. */
function connectTo({ channelId, alice }: RoomFixture) {
  const clock = new FakeClock();
  const events: string[] = [];
  let opened = 0;
  const openSocket: OpenSocket = (url) => {
    opened += 1;
    const { searchParams } = new URL(url);
    return socketOf(async () => {
      const wanted = { channel_id: channelId, actor: alice, since: { epoch: Number(searchParams.get('epoch')), seq: Number(searchParams.get('since')) } };
      const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': SUBPROTOCOL, [SOCKET_REQUEST_HEADER]: JSON.stringify(wanted) };
      return (await env.ROOMS.getByName(channelId).fetch('https://room/', { headers })).webSocket;
    });
  };
  const options = { url: new URL('wss://room/'), since: { epoch: 1, seq: 0 }, openSocket, clock, random: Math.random };
  const connection = new Connection<RoomWire>(options, { stateChanged: () => {}, reset: () => {}, state: () => {}, events: (live) => events.push(...live.map(({ type }) => type)) });
  connection.start();
  return { clock, connection, events, opened: () => opened };
}

/** A socket that is still being asked for. */
function socketOf(ask: () => Promise<WebSocket | null>): WebSocketLike {
  const target = new EventTarget();
  let socket: WebSocket | null = null;
  const closed = (code: number, reason: string) => void target.dispatchEvent(Object.assign(new Event('close'), { code, reason }));
  const open = async () => {
    socket = await ask();
    if (socket === null) return closed(1006, 'refused');
    socket.addEventListener('message', ({ data }) => target.dispatchEvent(Object.assign(new Event('message'), { data })));
    socket.addEventListener('close', ({ code, reason }) => closed(code, reason));
    socket.accept();
  };
  void open().catch(() => closed(1006, 'unreachable'));
  return {
    binaryType: '',
    addEventListener: (type: string, listener: (event: never) => void) => target.addEventListener(type, listener as (event: Event) => void),
    send: (data) => socket?.send(data),
    close: (code, reason) => socket?.close(code, reason),
  };
}

/** The next result is lost, and whatever would follow it on its socket. Returns whether it was. */
function loseNextResult(): () => boolean {
  const { send } = HibernatableSocket.prototype;
  const muted = new Set<HibernatableSocket>();
  vi.spyOn(HibernatableSocket.prototype, 'send').mockImplementation(function lossy(this: HibernatableSocket, frame: string) {
    if (muted.size === 0 && frame.startsWith('{"type":"result"')) muted.add(this);
    if (!muted.has(this)) send.call(this, frame);
  });
  return () => muted.size > 0;
}

/** Time passes until the client attempts to connect again. */
async function comesBack({ clock, connection }: Pick<ReturnType<typeof connectTo>, 'clock' | 'connection'>): Promise<void> {
  await vi.waitUntil(() => connection.state.name !== 'open', 10_000);
  while (connection.state.name === 'waiting') await clock.advance(100);
}

async function connected() {
  const fixture = await roomFixture();
  const client = connectTo(fixture);
  await vi.waitUntil(() => client.connection.state.name === 'open', 10_000);
  return { ...client, room: fixture.room };
}

it('every command whose result got lost on an open socket is repeated by the client, and is done once (G2, P21, P22, P51)', async () => {
  const { clock, connection, events, opened } = await connected();
  const { message_id } = await connection.command(sendOf('kept'));
  for (const command of [
    sendOf('once', 'once'),
    { type: 'edit', message_id, text: 'edited' },
    { type: 'react', message_id, emoji: 'eyes' },
    { type: 'unreact', message_id, emoji: 'eyes' },
    { type: 'delete', message_id },
  ] as const) {
    const before = opened();
    const isLost = loseNextResult();
    const result = connection.command(command);
    await vi.waitUntil(isLost, 10_000);
    await clock.advance(RESULT_WITHIN_MS);
    await comesBack({ clock, connection });
    expect(await result).toMatchObject({ changed: false });
    expect(opened()).toBe(before + 1);
    vi.restoreAllMocks();
  }
  const done = ['message.created', 'message.created', 'message.edited', 'reaction.added', 'reaction.removed', 'message.deleted'];
  await soon(() => expect(events).toEqual(done));
  connection.stop();
}, 60_000);

it('an instance that ends in the middle of commands takes its sockets with it, and the client repeats them at once (G2, P25)', async () => {
  const { clock, connection, events, opened, room } = await connected();
  const results = Promise.all(Array.from({ length: 20 }, (_, n) => connection.command(sendOf(`text ${n}`))));
  await runInDurableObject(room, (_, state) => state.abort('ends here')).catch(() => {});
  await comesBack({ clock, connection });
  expect(new Set((await results).map(({ message_id }) => message_id)).size).toBe(20);
  await soon(() => expect(events).toEqual(Array.from({ length: 20 }, () => 'message.created')));
  expect(opened()).toBe(2);
  connection.stop();
}, 60_000);
