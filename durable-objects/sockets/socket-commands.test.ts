import { beforeEach, describe, expect, it } from 'vitest';
import { type ServerFrame, serverFrameSchema } from '../../protocol/frames.ts';
import { MAX_FRAME_BYTES, MAX_TEXT } from '../../protocol/limits.ts';
import { ALICE, appendMessages, conversation, NOW } from '../../tests/support/room-core.ts';
import { Archive } from '../log/archive.ts';
import { applyCommand } from '../channel-room/commands.ts';
import type { Conversation } from '../channel-room/conversation.ts';
import { Fanout } from './fanout.ts';
import { freshRecord, type RoomSocket } from './socket-record.ts';
import { SocketCommands } from './socket-commands.ts';

class FakeSocket implements RoomSocket {
  readonly frames: ServerFrame[] = [];
  closed: number | null = null;
  send(frame: string): void {
    this.frames.push(serverFrameSchema.parse(JSON.parse(frame)));
  }
  close(code: number): void {
    this.closed = code;
  }
  save(): void {}
}

const archive = new Archive({ eventsBetween: async () => [], poisonBetween: async () => [], failed: () => {} });
const send = (id: string, text = 'x'): string => JSON.stringify({ type: 'send', id, client_msg_id: id, text });

let now: number;
let socket: FakeSocket;
let room: Conversation;
let fanout: Fanout<FakeSocket>;
let commands: SocketCommands<FakeSocket>;

beforeEach(() => {
  now = NOW;
  room = conversation();
  fanout = new Fanout<FakeSocket>(room.log, archive, { clock: () => now, schedule: () => {}, unsettled: () => {}, closed: () => {}, caughtUp: () => {} });
  commands = new SocketCommands(fanout, {
    clock: () => now,
    refresh: async () => ({ problem: { code: 'unauthenticated' } }),
    typing: () => {},
    watch: () => {},
    execute: async (actor, command) => {
      const { value, events } = room.commit(() => applyCommand(room, actor, command, now));
      fanout.publish(events);
      return value;
    },
  });
  socket = new FakeSocket();
  fanout.join(socket, freshRecord({ session: 's', actor: ALICE, epoch: 1 }, 0));
});

const codes = (): (string | undefined)[] => socket.frames.map((frame) => ('problem' in frame ? frame.problem?.code : frame.type));

describe('SocketCommands', () => {
  it('answers a command by its id, after its event', async () => {
    await commands.handle(socket, send('k1'));
    expect(socket.frames).toMatchObject([{ type: 'events', from: 1, to: 1 }, { type: 'result', re: 'k1', ok: { seq: 1, pos: 1 } }]);
  });

  it('answers at once also in a busy room, before the event that is gathered (P20)', async () => {
    for (let n = 0; n < 400; n++) fanout.join(new FakeSocket(), freshRecord({ session: `s${n}`, actor: ALICE, epoch: 1 }, 0));
    for (let n = 0; n < 11; n++) fanout.publish(appendMessages(room, 1));
    socket.frames.length = 0;
    await commands.handle(socket, send('k1'));
    expect(socket.frames).toMatchObject([{ type: 'result', re: 'k1', ok: { seq: 12 } }]);
  });

  it('answers also a command that failed: its client waits, and its socket stays (P20)', async () => {
    const failing = new SocketCommands(fanout, {
      clock: () => now,
      refresh: async () => ({ problem: { code: 'unauthenticated' } }),
      typing: () => {},
      watch: () => {},
      execute: () => Promise.reject(new Error('the store is gone')),
    });
    await expect(failing.handle(socket, send('k1'))).rejects.toThrow('the store is gone');
    expect(socket.frames).toMatchObject([{ type: 'result', re: 'k1', problem: { code: 'internal' } }]);
    expect(socket.closed).toBe(null);
  });

  it('answers a refused command by its id', async () => {
    await commands.handle(socket, JSON.stringify({ type: 'delete', id: 'k1', message_id: ALICE.user_id }));
    expect(socket.frames).toMatchObject([{ type: 'result', re: 'k1', problem: { code: 'not_found', status: 404 } }]);
  });

  it.each<[string, string | ArrayBuffer, object]>([
    ['no JSON', '{', { type: 'problem', problem: { code: 'unreadable_body' } }],
    ['binary', new ArrayBuffer(4), { type: 'problem', problem: { code: 'invalid' } }],
    ['no object', 'null', { type: 'problem', problem: { code: 'invalid' } }],
    ['an unknown type', '{"type":"shout","id":"k"}', { type: 'result', re: 'k', problem: { code: 'invalid' } }],
    ['a wrong field', '{"type":"send","id":"k","client_msg_id":"c","text":7}', { type: 'result', re: 'k', problem: { code: 'invalid', errors: [{ pointer: '/text' }] } }],
    ['an unknown field', '{"type":"ack","seq":0,"more":1}', { type: 'problem', problem: { code: 'invalid' } }],
    ['an id that is none', '{"type":"send","id":7,"client_msg_id":"c","text":"x"}', { type: 'problem', problem: { code: 'invalid' } }],
    ['an origin', '{"type":"send","id":"k","client_msg_id":"c","text":"x","origin":{}}', { type: 'result', re: 'k', problem: { code: 'invalid' } }],
    ['an ack of the future', '{"type":"ack","seq":5}', { type: 'problem', problem: { code: 'invalid', errors: [{ pointer: '/seq' }] } }],
  ])('says what is wrong with %s', async (_, message, frame) => {
    await commands.handle(socket, message);
    expect(socket.frames).toMatchObject([frame]);
    expect(socket.closed).toBeNull();
  });

  it('closes the socket at the tenth bad frame', async () => {
    for (let n = 0; n < 9; n++) await commands.handle(socket, 'x');
    expect(socket.closed).toBeNull();
    await commands.handle(socket, 'x');
    expect([socket.closed, codes().length]).toEqual([4000, 10]);
    await commands.handle(socket, send('k'));
    expect(codes().length).toBe(10);
  });

  it('closes the socket at a frame that is too large, measured in bytes', async () => {
    await commands.handle(socket, send('k1', 'é'.repeat(MAX_TEXT)));
    expect(socket.closed).toBeNull();
    await commands.handle(socket, `"${'é'.repeat(MAX_FRAME_BYTES / 2)}"`);
    expect(socket.closed).toBe(1009);
  });

  it('takes 100 commands at once and 50 a second (G8)', async () => {
    for (let n = 0; n < 101; n++) await commands.handle(socket, send(`k${n}`));
    expect(socket.frames.at(-1)).toMatchObject({ type: 'result', re: 'k100', problem: { code: 'rate_limited', retry_after: 1 } });
    now += 1_000;
    for (let n = 0; n < 51; n++) await commands.handle(socket, send(`l${n}`));
    expect(socket.frames.filter((frame) => frame.type === 'result' && frame.ok && 'changed' in frame.ok && frame.ok.changed)).toHaveLength(150);
    expect(socket.closed).toBeNull();
  });

  it('closes the socket at a command whose credential has ended: the client says it again with another, instead of losing it (G5, P35)', async () => {
    now = ALICE.expires_at;
    await commands.handle(socket, send('k1'));
    expect([socket.closed, socket.frames]).toEqual([4001, []]);
  });

  it('does not count acks that say something new: a long resume has many (G8)', async () => {
    for (const { seq } of appendMessages(room, 150)) {
      fanout.publish(room.log.since(seq - 1, 1, 1));
      await commands.handle(socket, JSON.stringify({ type: 'ack', seq }));
    }
    expect(codes()).not.toContain('rate_limited');
    for (let n = 0; n < 111; n++) await commands.handle(socket, '{"type":"ack","seq":1}');
    expect(socket.closed).toBe(4000);
  });
});
