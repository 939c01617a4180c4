import { evictDurableObject } from 'cloudflare:test';
import { expect, it, vi } from 'vitest';
import { soon } from '../../tests/support/soon.ts';
import { fallsAsleep } from '../asleep-fixture.ts';
import { range, roomFixture, sendOf } from './room-fixture.ts';

const isDrained = (drained: () => Promise<{ drained_seq: number }>, seq: number): Promise<void> =>
  vi.waitFor(async () => expect((await drained()).drained_seq).toBe(seq), 10_000);

it.concurrent('an idle room sleeps, though it has sockets and has drained, and wakes with the same sockets and cursors (G2, G3)', async () => {
  const { channelId, room, alice, bob, connect, drained } = await roomFixture();
  const [live, slow] = [(await connect(alice)).ackAll(), await connect(bob)];
  for (let page = 0; page < 6; page++) await room.executeBatch(channelId, alice, range(1, 200).map((n) => sendOf(`${page} ${n}`)));
  await soon(() => expect([live.seqs.length, slow.seqs.length]).toEqual([1_200, 1_000]));
  await isDrained(drained, 1_200);
  await fallsAsleep(() => room);
  expect(await room.execute(channelId, alice, sendOf('awake'))).toMatchObject({ ok: { seq: 1_201, pos: 1_201 } });
  await soon(() => expect(live.seqs).toEqual(range(1, 1_201)));
  slow.ackAll().send({ type: 'ack', seq: 1_000 });
  await soon(() => expect(slow.seqs).toEqual(range(1, 1_201)));
  expect([live.closed, slow.closed]).toEqual([null, null]);
}, 90_000);

it.concurrent('a room stays asleep through heartbeats, and through nothing but them', async () => {
  const { room, alice, connect } = await roomFixture();
  const socket = await connect(alice);
  let pings = 0;
  await fallsAsleep(() => room, () => {
    pings += 1;
    socket.send('ping');
  });
  expect(socket.pongs).toBe(pings);
}, 90_000);

it.concurrent('a room evicted in the middle of sending gives each socket everything once, or closes it to resume (G2, G4, P52)', async () => {
  const { channelId, room, alice, bob, connect } = await roomFixture();
  const [reader, puller] = [await connect(bob, { epoch: 1, seq: 0 }), await connect(alice)];
  for (let page = 0; page < 6; page++) await room.executeBatch(channelId, alice, range(1, 200).map((n) => sendOf(`${page} ${n}`)));
  await evictDurableObject(room);
  await room.execute(channelId, alice, sendOf('after'));
  for (const socket of [reader, puller]) {
    socket.ackAll().send({ type: 'ack', seq: socket.seqs.at(-1) });
    await vi.waitFor(() => expect(socket.closed?.code === 1012 || socket.seqs.length === 1_201).toBe(true), 10_000);
    const rest = socket.closed === null ? null : (await connect(bob, { epoch: 1, seq: socket.seqs.at(-1) ?? 0 })).ackAll();
    await vi.waitFor(() => expect([...socket.seqs, ...(rest?.seqs ?? [])]).toEqual(range(1, 1_201)), 10_000);
    expect(rest?.welcome.recovered ?? true).toBe(true);
  }
}, 90_000);
