import { expect, it } from 'vitest';
import { integer, pick, seededRandom } from '../../client/testing/random.ts';
import { seedsOfRun } from '../../tests/support/seed.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { roomFixture, sendOf, TestSocket } from './room-fixture.ts';

const STEPS = 60;

/** Somebody who comes and goes. `ended`: the sockets that each removal has ended. */
interface Guest {
  readonly actor: Actor;
  isMember: boolean;
  readonly open: TestSocket[];
  readonly ended: TestSocket[][];
}

it.each(seedsOfRun(3))('no event reaches who is no member, whoever comes and goes (G5, seed %i)', async (seed) => {
  const random = seededRandom(seed);
  const { channelId, room, alice, stranger, change, connect } = await roomFixture();
  const witness = (await connect(alice)).ackAll();
  const guests: Guest[] = [];
  /** Of the handshakes of those who are no members. */
  const statuses = new Set<number>();
  for (let n = 0; n < 4; n++) guests.push({ actor: await stranger(), isMember: false, open: [], ended: [] });

  const turn = async (guest: Guest): Promise<void> => {
    guest.isMember = !guest.isMember;
    await room.applyMemberChange(channelId, await change(guest.actor, guest.isMember ? 'member' : null));
    if (!guest.isMember) guest.ended.push(guest.open.splice(0));
  };
  const enter = async (guest: Guest): Promise<void> => {
    const since = random() < 0.5 ? { epoch: 1, seq: 0 } : null;
    if (guest.isMember) return void guest.open.push((await connect(guest.actor, since)).ackAll());
    statuses.add((await TestSocket.request(room, { channel_id: channelId, actor: guest.actor, since })).status);
  };
  const say = async (guest: Guest): Promise<void> => {
    const outcome = await room.execute(channelId, guest.actor, sendOf('of a guest'));
    expect('ok' in outcome).toBe(guest.isMember);
  };

  for (let step = 0; step < STEPS; step++) {
    const sends = Array.from({ length: integer(random, 4) }, () => room.execute(channelId, alice, sendOf('of Alice')));
    await pick(random, [turn, enter, enter, say])(pick(random, guests));
    await Promise.all(sends);
  }
  const last = await room.execute(channelId, alice, sendOf('the last'));
  const seq = 'ok' in last ? last.ok.seq : null;
  expect([...statuses]).toEqual([403]);
  await expect.poll(() => witness.seqs.at(-1), { timeout: 10_000 }).toBe(seq);
  for (const { actor, open, ended } of guests) {
    for (const socket of open) await expect.poll(() => socket.seqs.at(-1), { timeout: 10_000 }).toBe(seq);
    const removals = witness.events.filter((event) => event.type === 'member.removed' && event.user_id === actor.user_id);
    expect(removals).toHaveLength(ended.length);
    for (const [index, sockets] of ended.entries()) {
      for (const socket of sockets) await expect.poll(() => socket.closed?.code, { timeout: 20_000 }).toBe(4003);
      expect(Math.max(0, ...sockets.flatMap(({ seqs }) => seqs))).toBeLessThan(removals[index]?.seq ?? 0);
    }
  }
});
