import { expect, it } from 'vitest';
import type { z } from 'zod';
import { integer, seededRandom } from '../client/testing/random.ts';
import { inboxFixture } from '../durable-objects/user-inbox/inbox-fixture.ts';
import { roomFixture, sendOf, TestSocket } from '../durable-objects/channel-room/room-fixture.ts';
import { SOCKET_REQUEST_HEADER } from '../durable-objects/channel-room/room-api.ts';
import { inboxServerFrameSchema, serverFrameSchema } from '../protocol/frames.ts';
import { SUBPROTOCOL } from '../protocol/version.ts';
import { inboxFrames, roomFrames } from './support/fuzz-frames.ts';
import { type Frame, mutate } from './support/mutate.ts';
import { seedOfRun } from './support/seed.ts';

const SEED = seedOfRun();
const SOCKETS = 8;
/** Of one socket, at most: it is closed at the tenth that is out of protocol, and then the rest goes unread. */
const FRAMES = 18;
const SECRET = 'the secret of the hidden channel';

/** What is fuzzed: an object that serves sockets. */
interface Target {
  readonly object: Fetcher;
  readonly request: unknown;
  readonly valid: readonly Frame[];
  readonly foreign: readonly string[];
  readonly schema: z.ZodType;
  /** A command that is always answered. */
  readonly probe: Frame;
}

interface Tally {
  sent: number;
  answered: number;
  readonly codes: Map<number, number>;
  /** Answers that are not of the protocol, or tell what they must not. */
  readonly wrong: string[];
}

/** One socket that is sent frames out of order and shape; resolves when all are answered, or it was closed for them. */
async function assault(target: Target, random: () => number, tally: Tally): Promise<void> {
  const { object, request, valid, foreign, schema, probe } = target;
  const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': SUBPROTOCOL, [SOCKET_REQUEST_HEADER]: JSON.stringify(request) };
  const { webSocket } = await object.fetch('https://object/', { headers });
  if (webSocket === null) throw new Error('no socket was opened');
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  webSocket.addEventListener('message', ({ data }) => {
    const text = String(data);
    const answer: unknown = JSON.parse(text);
    tally.answered += 1;
    if (text.includes(SECRET) || !schema.safeParse(answer).success) tally.wrong.push(text);
    if (isProbed(answer)) resolve();
  });
  webSocket.addEventListener('close', ({ code }) => {
    tally.codes.set(code, (tally.codes.get(code) ?? 0) + 1);
    resolve();
  });
  webSocket.accept();
  const frames = Array.from({ length: 1 + integer(random, FRAMES) }, () => mutate(random, valid, foreign));
  for (const frame of frames) webSocket.send(frame);
  tally.sent += frames.length;
  webSocket.send(JSON.stringify(probe));
  await ended;
  webSocket.close(1000);
}

const isProbed = (answer: unknown): boolean => typeof answer === 'object' && answer !== null && 're' in answer && answer.re === 'probe';

/** So many frames, over sockets of which some are always open together. Each socket has a seed of its own. */
async function fuzz(target: Target, frames: number): Promise<Tally> {
  const tally: Tally = { sent: 0, answered: 0, codes: new Map(), wrong: [] };
  let seed = SEED;
  const keepOn = async (): Promise<void> => {
    while (tally.sent < frames) await assault(target, seededRandom((seed += 1)), tally);
  };
  await Promise.all(Array.from({ length: SOCKETS }, keepOn));
  console.log(`${tally.sent} frames from seed ${SEED} on, ${tally.answered} answers, closes ${JSON.stringify([...tally.codes])}`);
  expect(tally.wrong).toEqual([]);
  expect([...tally.codes.keys()].filter((code) => ![1000, 1005, 1009, 4000].includes(code))).toEqual([]);
  return tally;
}

it('a room answers 90,000 mutated frames in its own words, tells of no other channel, and goes on as before (G5, G8, P44)', { timeout: 600_000 }, async () => {
  const { channelId, room, alice, bob, connect } = await roomFixture();
  const hidden = await roomFixture('private');
  const secret = await hidden.room.execute(hidden.channelId, hidden.alice, sendOf(SECRET));
  const own = await room.execute(channelId, alice, sendOf('of Alice'));
  const others = await room.execute(channelId, bob, sendOf('of Bob'));
  if (!('ok' in own && 'ok' in others && 'ok' in secret)) throw new Error('a send was refused');
  const message_id = own.ok.message_id;
  const valid = roomFrames(message_id, others.ok.message_id);
  const witness = (await connect(bob)).ackAll();
  const foreign = [hidden.channelId, secret.ok.message_id, hidden.alice.user_id, bob.user_id, others.ok.message_id, channelId];
  const request = { channel_id: channelId, actor: alice, since: null };
  const probe = { type: 'unreact', id: 'probe', message_id, emoji: 'probe' };
  const { sent } = await fuzz({ object: room, request, valid, foreign, schema: serverFrameSchema, probe }, 90_000);
  expect(sent).toBeGreaterThanOrEqual(90_000);
  const last = await room.execute(channelId, bob, sendOf('after all that'));
  await expect.poll(() => witness.events.at(-1), { timeout: 10_000 }).toMatchObject({ text: 'after all that', seq: 'ok' in last ? last.ok.seq : null });
  expect(witness.seqs).toEqual(witness.seqs.map((_, index) => (witness.seqs[0] ?? 0) + index));
  const stranger = await TestSocket.request(room, { channel_id: channelId, actor: await hidden.stranger(), since: null });
  expect(stranger.status).toBe(403);
});

it('an inbox answers 20,000 mutated frames in its own words, and goes on as before (G5, G8, P44)', { timeout: 300_000 }, async () => {
  const { channelId, inbox, alice, open } = await inboxFixture();
  const other = await inboxFixture();
  const valid = inboxFrames(channelId);
  const request = { actor: alice, since: null };
  const probe = { type: 'read', id: 'probe', channel_id: channelId, pos: 0 };
  const foreign = [other.channelId, other.alice.user_id, alice.user_id];
  await fuzz({ object: inbox, request, valid, foreign, schema: inboxServerFrameSchema, probe }, 20_000);
  const witness = await open();
  witness.send({ type: 'read', id: 'after', channel_id: channelId, pos: 0 });
  await expect.poll(() => witness.result('after')).toMatchObject({ ok: { read_pos: 0 } });
});
