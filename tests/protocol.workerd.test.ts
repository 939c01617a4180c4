import { evictDurableObject } from 'cloudflare:test';
import { exports } from 'cloudflare:workers';
import { uuidv7 } from 'uuidv7';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { range, roomFixture, type RoomFixture, sendOf, type TestSocket } from '../durable-objects/channel-room/room-fixture.ts';
import { socketTicketSchema } from '../protocol/api.ts';
import { problemSchema } from '../protocol/errors.ts';
import { HEARTBEAT_SECONDS, MAX_FRAME_BYTES, MAX_FRAME_EVENTS, SOCKET_WINDOW_BYTES, SOCKET_WINDOW_EVENTS } from '../protocol/limits.ts';
import { SUBPROTOCOL } from '../protocol/version.ts';
import { bodyOf, type Caller, fetchApi, newCaller, newChannel, newToken, ORIGIN } from '../workers/api-fixture.ts';

/** Goes through docs/protocol.md against the real Worker and a live room; the numbers are those of its rules. */

const eventually = (check: () => void | Promise<void>): Promise<void> => vi.waitFor(check, 10_000);

describe('a handshake', () => {
  let ada: Caller;
  let path: string;
  beforeAll(async () => {
    ada = await newCaller();
    path = `/v1/channels/${(await newChannel(ada)).id}/socket`;
  });

  const upgrade = (to: string, headers: Record<string, string>): Promise<Response> =>
    exports.default.fetch(new Request(`${ORIGIN}${to}`, { headers: { Upgrade: 'websocket', ...headers } }));
  const bearer = (caller: Caller) => ({ Authorization: `Bearer ${caller.token}` });
  const ticketOf = async () => bodyOf(await ada.call('POST', '/v1/socket-tickets'), 201, socketTicketSchema).ticket;
  const offer = (ticket: string) => ({ 'Sec-WebSocket-Protocol': `${SUBPROTOCOL}, colink.ticket.${ticket}`, Origin: ORIGIN });
  const opened = (response: Response): [number, string | null] => {
    response.webSocket?.accept();
    response.webSocket?.close(1000);
    return [response.status, response.headers.get('sec-websocket-protocol')];
  };
  const refused = async (response: Response): Promise<[number, string | null, string]> => [
    response.status,
    response.headers.get('content-type'),
    problemSchema.parse(await response.json()).code,
  ];
  const refusal = (status: number, code: string) => [status, 'application/problem+json', code];

  it('without an upgrade is 426 (P1)', async () => {
    const { status, headers } = await fetchApi(path, { headers: bearer(ada) });
    expect([status, headers.get('upgrade')]).toEqual([426, 'websocket']);
  });

  it('takes a bearer that may read and write, and no cookie (P2)', async () => {
    expect(opened(await upgrade(path, bearer(ada)))).toEqual([101, null]);
    expect(await refused(await upgrade(path, bearer(await newToken(ada.user, { scopes: ['messages:read'] }))))).toEqual(refusal(403, 'forbidden'));
    const session = await newToken(ada.user, { kind: 'session' });
    expect(await refused(await upgrade(path, { Cookie: `__Host-colink=${session.token}`, Origin: ORIGIN }))).toEqual(refusal(401, 'unauthenticated'));
  });

  it('takes a ticket once, and answers the one subprotocol (P3, P5)', async () => {
    const ticket = await ticketOf();
    expect(opened(await upgrade(path, offer(ticket)))).toEqual([101, SUBPROTOCOL]);
    expect(await refused(await upgrade(path, offer(ticket)))).toEqual(refusal(401, 'unauthenticated'));
  });

  it('from a page of another origin is refused, and leaves the ticket unused (P4)', async () => {
    const ticket = await ticketOf();
    expect(await refused(await upgrade(path, { ...offer(ticket), Origin: 'https://evil.example' }))).toEqual(refusal(403, 'forged_origin'));
    expect(opened(await upgrade(path, offer(ticket)))[0]).toBe(101);
  });

  it('that is refused is answered by a problem document (P6)', async () => {
    const bob = await newCaller();
    expect(await refused(await upgrade(path, {}))).toEqual(refusal(401, 'unauthenticated'));
    expect(await refused(await upgrade(path, bearer(bob)))).toEqual(refusal(403, 'not_a_member'));
    expect(await refused(await upgrade(`/v1/channels/${(await newChannel(ada, 'private')).id}/socket`, bearer(bob)))).toEqual(refusal(404, 'not_found'));
    expect(await refused(await upgrade(`/v1/channels/${uuidv7()}/socket`, bearer(ada)))).toEqual(refusal(404, 'not_found'));
  });

  it.each(['?since=1', '?epoch=1', '?epoch=0&since=1', '?epoch=1&since=-1', '?epoch=1&since=x'])('with the cursor %s is 422 (P7)', async (query) => {
    expect(await refused(await upgrade(path + query, bearer(ada)))).toEqual(refusal(422, 'invalid'));
  });
});

const fill = ({ room, channelId, alice }: RoomFixture, count: number, text = 'x') =>
  room.executeBatch(channelId, alice, range(1, count).map(() => sendOf(text)));
const eventFrames = (socket: TestSocket) => socket.frames.flatMap((frame) => (frame.type === 'events' ? [frame] : []));
const frameTypes = (socket: TestSocket): string[] => socket.frames.map(({ type }) => type);

/** Acknowledges what has come, and what comes. */
function acking(socket: TestSocket): TestSocket {
  socket.ackAll().send({ type: 'ack', seq: socket.seqs.at(-1) ?? socket.welcome.seq });
  return socket;
}

/** That frames leave no gap behind `after`, overlap nowhere, and hold what they say. */
function expectContiguous(socket: TestSocket, after: number): void {
  let at = after;
  for (const { from, to, events, epoch } of eventFrames(socket)) {
    expect([from, epoch]).toEqual([at + 1, socket.welcome.epoch]);
    expect(events.map(({ seq }) => seq)).toEqual(range(from, to));
    expect(events.length).toBeLessThanOrEqual(MAX_FRAME_EVENTS);
    at = to;
  }
}

describe('a welcome', () => {
  it('comes first, and names the cursor behind which events begin (P8)', async () => {
    const fixture = await roomFixture();
    await fill(fixture, 3);
    const socket = await fixture.connect(fixture.bob, { epoch: 1, seq: 1 });
    await eventually(() => expect(socket.seqs).toEqual([2, 3]));
    expect(frameTypes(socket)[0]).toBe('welcome');
    expect(socket.welcome).toMatchObject({ epoch: 1, seq: 1, head: 3, heartbeat_seconds: HEARTBEAT_SECONDS });
    expect(socket.welcome.limits).toEqual({ frame_bytes: MAX_FRAME_BYTES, window_events: SOCKET_WINDOW_EVENTS, window_bytes: SOCKET_WINDOW_BYTES });
  });

  it('to a cursor that can be served whole is recovered, and all that was missed follows once (P9)', async () => {
    const fixture = await roomFixture();
    await fill(fixture, 120);
    for (const seq of [0, 60, 119, 120]) {
      const socket = await fixture.connect(fixture.bob, { epoch: 1, seq });
      expect(socket.welcome).toMatchObject({ seq, recovered: true });
      await eventually(() => expect(socket.seqs).toEqual(range(seq + 1, 120)));
    }
  });

  it.each([
    ['no cursor', null],
    ['a cursor of another epoch', { epoch: 2, seq: 1 }],
    ['a cursor of the future', { epoch: 1, seq: 99 }],
  ])('to %s is not recovered, and nothing older than its seq follows (P10)', async (_, since) => {
    const fixture = await roomFixture();
    await fill(fixture, 4);
    await eventually(async () => expect((await fixture.drained()).drained_seq).toBe(4));
    const socket = await fixture.connect(fixture.bob, since);
    expect(socket.welcome).toMatchObject({ recovered: false, head: 4 });
    await fill(fixture, 1);
    await eventually(() => expect(socket.seqs.at(-1)).toBe(5));
    expectContiguous(socket, socket.welcome.seq);
  });
});

describe('events', () => {
  it('leave no gap, however they came about: live, gathered, missed, or after a sleep (P12, P14)', async () => {
    const fixture = await roomFixture();
    const live = (await fixture.connect(fixture.bob)).ackAll();
    for (let page = 0; page < 8; page++) await fill(fixture, 200);
    const late = acking(await fixture.connect(fixture.alice, { epoch: 1, seq: 0 }));
    await eventually(() => expect([live.seqs.length, late.seqs.length]).toEqual([1_600, 1_600]));
    await eventually(async () => expect((await fixture.drained()).drained_seq).toBe(1_600));
    await evictDurableObject(fixture.room);
    await fill(fixture, 1);
    for (const socket of [live, late]) {
      await eventually(() => expect(socket.closed !== null || socket.seqs.length === 1_601).toBe(true));
      expectContiguous(socket, 0);
    }
  });

  it('stop at the window for a socket that does not acknowledge, and go on from there as it does (P17, P18)', async () => {
    const fixture = await roomFixture();
    const [silent, other] = [await fixture.connect(fixture.bob), (await fixture.connect(fixture.alice)).ackAll()];
    for (let page = 0; page < 6; page++) await fill(fixture, 200);
    await eventually(() => expect(other.seqs).toEqual(range(1, 1_200)));
    await eventually(() => expect(silent.seqs).toEqual(range(1, SOCKET_WINDOW_EVENTS)));
    silent.send({ type: 'ack', seq: 10 });
    await eventually(() => expect(silent.seqs).toEqual(range(1, SOCKET_WINDOW_EVENTS + 10)));
    silent.ackAll().send({ type: 'ack', seq: SOCKET_WINDOW_EVENTS + 10 });
    await eventually(() => expect(silent.seqs).toEqual(range(1, 1_200)));
    await fill(fixture, 1);
    await eventually(() => expect(silent.seqs.at(-1)).toBe(1_201));
    expectContiguous(silent, 0);
  });

  it('stop at 1 MiB too (P17)', async () => {
    const fixture = await roomFixture();
    const [silent, other] = [await fixture.connect(fixture.bob), (await fixture.connect(fixture.alice)).ackAll()];
    for (let page = 0; page < 3; page++) await fill(fixture, 60, 'x'.repeat(9_000));
    await eventually(() => expect(other.seqs).toEqual(range(1, 180)));
    const bytes = eventFrames(silent).reduce((sum, { events }) => sum + JSON.stringify(events).length, 0);
    expect([silent.seqs.length < 180, bytes <= SOCKET_WINDOW_BYTES + 1_000, bytes > SOCKET_WINDOW_BYTES / 2]).toEqual([true, true, true]);
  });
});

describe('an ack', () => {
  it('is not answered, changes nothing when it is old, and is out of protocol when it is of the future (P16)', async () => {
    const fixture = await roomFixture();
    const socket = await fixture.connect(fixture.bob);
    await fill(fixture, 5);
    await eventually(() => expect(socket.seqs).toEqual(range(1, 5)));
    for (const seq of [5, 2, 0]) socket.send({ type: 'ack', seq });
    socket.send({ type: 'ack', seq: 6 });
    await eventually(() => expect(frameTypes(socket).at(-1)).toBe('problem'));
    expect(socket.frames.filter(({ type }) => type === 'problem')).toMatchObject([{ problem: { code: 'invalid', errors: [{ pointer: '/seq' }] } }]);
  });
});

describe('a command', () => {
  it('is answered once, by its id, with what it did (P20, P22)', async () => {
    const { connect, alice } = await roomFixture();
    const socket = (await connect(alice)).ackAll();
    socket.send({ ...sendOf('hello'), id: 'first' });
    await eventually(() => expect(socket.result('first')?.ok).toMatchObject({ seq: 1, pos: 1, changed: true }));
    const ok = socket.result('first')?.ok;
    const message_id = ok !== undefined && 'message_id' in ok ? ok.message_id : '';
    socket.send({ type: 'react', id: 'r1', message_id, emoji: '👍' });
    socket.send({ type: 'react', id: 'r2', message_id, emoji: '👍' });
    await eventually(() => expect(socket.result('r2')?.ok).toMatchObject({ message_id, seq: 2, changed: false }));
    expect(socket.frames.flatMap((frame) => (frame.type === 'result' ? [frame.re] : []))).toEqual(['first', 'r1', 'r2']);
  });

  it('that is repeated under its client_msg_id is the same message, on any socket (P21)', async () => {
    const { connect, alice } = await roomFixture();
    const [phone, desk] = [await connect(alice), await connect(alice)];
    phone.send({ ...sendOf('once', 'same'), id: 'a' });
    await eventually(() => expect(phone.result('a')?.ok).toMatchObject({ seq: 1, changed: true }));
    desk.send({ ...sendOf('once', 'same'), id: 'b' });
    desk.send({ ...sendOf('another text', 'same'), id: 'c' });
    await eventually(() => expect(desk.result('c')?.problem).toMatchObject({ code: 'idempotency_mismatch' }));
    expect(desk.result('b')?.ok).toMatchObject({ seq: 1, changed: false });
    expect(desk.seqs).toEqual([1]);
  });

  it('is authorised by the membership of that moment (P23)', async () => {
    const { connect, bob, change, room, channelId } = await roomFixture();
    const socket = await connect(bob);
    await room.applyMemberChange(channelId, await change(bob, null));
    expect(await room.execute(channelId, bob, sendOf('late'))).toMatchObject({ problem: { code: 'not_a_member' } });
    await eventually(() => expect(socket.closed?.code).toBe(4003));
  });

  it('past 100 at once is answered rate_limited, and not done (P24)', async () => {
    const { connect, alice } = await roomFixture();
    const socket = (await connect(alice)).ackAll();
    for (const n of range(1, 200)) socket.send({ ...sendOf('flood'), id: `f${n}` });
    await eventually(() => expect(range(1, 200).filter((n) => socket.result(`f${n}`) === undefined)).toEqual([]));
    const limited = range(1, 200).filter((n) => socket.result(`f${n}`)?.problem?.code === 'rate_limited');
    const done = range(1, 200).filter((n) => socket.result(`f${n}`)?.ok !== undefined);
    expect([limited.length + done.length, done.length >= 100, limited.length > 0]).toEqual([200, true, true]);
    await eventually(() => expect(socket.seqs).toHaveLength(done.length));
  });
});

describe('bad input', () => {
  it('is answered by a result where it has an id, else by a problem (P44)', async () => {
    const { connect, alice } = await roomFixture();
    const socket = await connect(alice);
    for (const frame of ['{', 'null', '{"type":"shout"}', new ArrayBuffer(3)]) socket.send(frame);
    socket.send({ type: 'shout', id: 'named' });
    await eventually(() => expect(socket.result('named')?.problem).toMatchObject({ code: 'invalid', status: 422 }));
    expect(frameTypes(socket)).toEqual(['welcome', 'problem', 'problem', 'problem', 'problem', 'result']);
  });

  it('ends the socket with 4000 at the tenth (P44)', async () => {
    const { connect, alice } = await roomFixture();
    const socket = await connect(alice);
    for (const _ of range(1, 10)) socket.send('nonsense');
    await eventually(() => expect(socket.closed?.code).toBe(4000));
    expect(frameTypes(socket)).toEqual(['welcome', ...range(1, 10).map(() => 'problem')]);
  });

  it('of too many bytes ends it with 1009, however few its characters (P43)', async () => {
    const { connect, alice } = await roomFixture();
    const [at, past] = [await connect(alice), await connect(alice)];
    const padded = (bytes: number) => `{"type":"ack","seq":0${' '.repeat(bytes - 22)}}`;
    at.send(padded(MAX_FRAME_BYTES));
    at.send({ ...sendOf('goes on'), id: 'on' });
    past.send(`"${'€'.repeat(MAX_FRAME_BYTES / 3)}"`);
    await eventually(() => expect([at.result('on')?.ok !== undefined, past.closed?.code]).toEqual([true, 1009]));
    expect(at.closed).toBeNull();
  });

  it('with a field that is unknown is refused, and pointed at (P45)', async () => {
    const { connect, alice } = await roomFixture();
    const socket = await connect(alice);
    socket.send({ ...sendOf('x'), id: 'k', as: 'bob' });
    await eventually(() => expect(socket.result('k')?.problem).toMatchObject({ code: 'invalid', errors: [{ pointer: '/as' }] }));
    expect(socket.seqs).toEqual([]);
  });
});

describe('the end of a socket', () => {
  it('is kept off by ping, which pong answers (P40)', async () => {
    const { connect, alice } = await roomFixture();
    const socket = await connect(alice);
    socket.send('ping');
    await eventually(() => expect(socket.pongs).toBe(1));
    expect(frameTypes(socket)).toEqual(['welcome']);
  });

  it('is answered with the client\'s own code (P41)', async () => {
    const { connect, alice } = await roomFixture();
    const socket = await connect(alice);
    socket.close();
    await eventually(() => expect(socket.closed?.code).toBe(1000));
  });

  it('comes with the credential, for every socket that it opened (P36)', async () => {
    const { connect, alice, bob, room, channelId } = await roomFixture();
    const [one, two, other] = [await connect(alice), await connect(alice), await connect(bob)];
    await room.revokeCredentials(channelId, [alice]);
    await eventually(() => expect([one.closed?.code, two.closed?.code]).toEqual([4001, 4001]));
    expect(other.closed).toBeNull();
  });
});
