import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { uuidv7 } from 'uuidv7';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../protocol/errors.ts';
import type { CommandResult } from '../../protocol/frames.ts';
import { SUBPROTOCOL } from '../../protocol/version.ts';
import { soon } from '../../tests/support/soon.ts';
import { range, roomFixture, sendOf, TestSocket, withPostgres } from './room-fixture.ts';

const seqOf = (outcome: Outcome<CommandResult>): number => {
  if ('problem' in outcome) throw new Error(JSON.stringify(outcome.problem));
  return outcome.ok.seq ?? 0;
};
const tablesOf = (room: DurableObjectStub): Promise<unknown[]> =>
  runInDurableObject(room, (_, state) => state.storage.sql.exec(`SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'`).toArray());

describe('commands', () => {
  it('are kept in one order for all, each once, however often they are sent (G2, G3)', async () => {
    const { channelId, room, alice, bob, connect } = await roomFixture();
    const readers = [(await connect(alice)).ackAll(), (await connect(bob)).ackAll()];
    const sends = range(1, 300).flatMap((n) => [sendOf(`text ${n}`, `m${n}`), sendOf(`text ${n}`, `m${n}`)]);
    const outcomes = await Promise.all(sends.map((send) => room.execute(channelId, alice, send)));
    const results = outcomes.map((outcome) => ('ok' in outcome ? outcome.ok : null));
    expect(new Set(results.map((result) => result?.seq)).size).toBe(300);
    expect(results.filter((result) => result?.changed)).toHaveLength(300);
    for (const reader of readers) await soon(() => expect(reader.seqs).toEqual(range(1, 300)));
    expect(readers[0]?.events).toEqual(readers[1]?.events);
    expect(readers[0]?.events.map((event) => (event.type === 'message.created' ? event.pos : 0))).toEqual(range(1, 300));
  });

  it('of a batch are all done or none', async () => {
    const { channelId, room, alice } = await roomFixture();
    await room.execute(channelId, alice, sendOf('first', 'known'));
    const refused = await room.executeBatch(channelId, alice, [sendOf('a', 'a'), sendOf('other', 'known'), sendOf('b', 'b')]);
    expect(refused).toMatchObject({ problem: { code: 'idempotency_mismatch', errors: [{ pointer: '/messages/1' }] } });
    const done = await room.executeBatch(channelId, alice, [sendOf('a', 'a'), sendOf('b', 'b')]);
    expect(done).toMatchObject({ ok: [{ seq: 2, pos: 2 }, { seq: 3, pos: 3 }] });
  });

  it('of many in one call are each done by itself, or left to a call of their own where Postgres has to be asked (G5)', async () => {
    const { channelId, room, alice, bob, stranger, change } = await roomFixture();
    const [eve, untold] = [await stranger(), await stranger()];
    await room.execute(channelId, alice, sendOf('opens the room'));
    await change(untold, 'member');
    const senders = [alice, eve, bob, untold, alice];
    const outcomes = await room.executeEach(channelId, senders.map((actor, n) => ({ actor, command: sendOf(`text ${n}`) })));
    expect(outcomes).toMatchObject([{ ok: { seq: 2 } }, null, { ok: { seq: 3 } }, null, { ok: { seq: 4 } }]);
    expect(await room.execute(channelId, eve, sendOf('x'))).toMatchObject({ problem: { code: 'not_a_member' } });
    expect(await room.execute(channelId, untold, sendOf('x'))).toMatchObject({ ok: { seq: 5 } });
    expect(await room.executeEach(channelId, [{ actor: untold, command: sendOf('y') }])).toMatchObject([{ ok: { seq: 6 } }]);
  });

  it('have names that are their authors\' own, in every later instance, merged or not (G2)', async () => {
    const { channelId, room, alice, bob } = await roomFixture();
    // Both have sent enough for the names that come first to be rows, and the last ones only messages.
    const names = [...range(1, 4_399).map((n) => `m${n}`), 'last'];
    const first = await room.executeBatch(channelId, alice, [sendOf('x', 'm1')]);
    for (const from of range(0, 21)) await room.executeBatch(channelId, bob, names.slice(from * 200, (from + 1) * 200).map((name) => sendOf('x', name)));
    expect(await runInDurableObject(room, (_, state) => state.storage.sql.exec('SELECT count(*) AS n FROM sent').one()['n'])).toBeGreaterThan(0);
    await evictDurableObject(room);
    const idsOf = async (actor: typeof alice, name: string) => {
      const outcome = await room.execute(channelId, actor, sendOf('x', name));
      if ('problem' in outcome) throw new Error(JSON.stringify(outcome.problem));
      return outcome.ok;
    };
    const merged = [await idsOf(alice, 'm1'), await idsOf(bob, 'm1')];
    expect([first, merged.map(({ changed }) => changed), new Set(merged.map(({ message_id }) => message_id)).size]).toMatchObject([{ ok: [{ seq: 1 }] }, [false, false], 2]);
    const recent = [await idsOf(bob, 'last'), await idsOf(alice, 'last'), await idsOf(alice, 'm2')];
    expect([recent.map(({ changed }) => changed), new Set(recent.map(({ message_id }) => message_id)).size]).toEqual([[false, true, true], 3]);
  });

  it('are known to every later instance, merged or not (G2)', async () => {
    const { channelId, room, alice } = await roomFixture();
    const batches = range(0, 21).map((batch) => range(1, 200).map((n) => sendOf(`x ${n}`, `m${batch}-${n}`)));
    for (const batch of batches) await room.executeBatch(channelId, alice, batch);
    const merged = (): Promise<unknown> => runInDurableObject(room, (_, state) => state.storage.sql.exec('SELECT count(*) AS n FROM sent').one()['n']);
    expect(await merged()).toBe(4_200);
    await evictDurableObject(room);
    for (const [page, batch] of batches.entries()) {
      const again = await env.ROOMS.getByName(channelId).executeBatch(channelId, alice, batch);
      expect('ok' in again && again.ok.map(({ seq, changed }) => [seq, changed])).toEqual(range(1, 200).map((n) => [page * 200 + n, false]));
    }
  });

  it('to an unknown channel find nothing and leave nothing', async () => {
    const { alice } = await roomFixture();
    const channelId = uuidv7();
    const room = env.ROOMS.getByName(channelId);
    expect(await room.execute(channelId, alice, sendOf('x'))).toEqual({ problem: { code: 'not_found' } });
    expect(await tablesOf(room)).toEqual([]);
  });

  it('survive an eviction under load: what was acknowledged is there, and a retry is the same message (G1, G2)', async () => {
    const { channelId, room, alice, connect } = await roomFixture();
    const sends = range(1, 400).map((n) => sendOf(`text ${n}`, `m${n}`));
    const acknowledged = new Map<string, number>();
    const sendAll = async (): Promise<void> => {
      await Promise.all(sends.map(async (send) => {
        const outcome = await env.ROOMS.getByName(channelId).execute(channelId, alice, send).catch(() => null);
        if (outcome !== null && 'ok' in outcome) acknowledged.set(send.client_msg_id, seqOf(outcome));
      }));
    };
    const sending = sendAll();
    await room.execute(channelId, alice, sendOf('wake'));
    await evictDurableObject(room);
    await sending;
    const before = new Map(acknowledged);
    await sendAll();
    expect(acknowledged.size).toBe(400);
    for (const [id, seq] of before) expect(acknowledged.get(id)).toBe(seq);
    const reader = (await connect(alice, { epoch: 1, seq: 0 })).ackAll();
    await soon(() => expect(reader.seqs).toEqual(range(1, 401)));
  });
});

describe('sockets', () => {
  it('answer with the one subprotocol and a welcome', async () => {
    const { channelId, room, alice, connect } = await roomFixture();
    const response = await TestSocket.request(room, { channel_id: channelId, actor: alice, since: null });
    expect([response.status, response.headers.get('Sec-WebSocket-Protocol')]).toEqual([101, SUBPROTOCOL]);
    response.webSocket?.accept();
    const socket = await connect(alice);
    expect(socket.welcome).toMatchObject({ epoch: 1, seq: 0, head: 0, recovered: false });
  });

  it('take commands and answer after the event', async () => {
    const { alice, bob, connect } = await roomFixture();
    const [sender, reader] = [await connect(alice), await connect(bob)];
    sender.send({ ...sendOf('hello'), id: 'k1' });
    await soon(() => expect(sender.result('k1')?.ok).toMatchObject({ seq: 1, pos: 1 }));
    expect(sender.frames.map((frame) => frame.type)).toEqual(['welcome', 'events', 'result']);
    await soon(() => expect(reader.events).toEqual(sender.events));
  });

  it('are pinged without waking anybody', async () => {
    const { alice, connect } = await roomFixture();
    const socket = await connect(alice);
    socket.send('ping');
    await soon(() => expect(socket.pongs).toBe(1));
  });

  it('survive bad frames, and end at the tenth, or at one too large', async () => {
    const { alice, connect } = await roomFixture();
    const [bad, large] = [await connect(alice), await connect(alice)];
    for (const frame of ['{', new ArrayBuffer(3), '{"type":"shout"}']) bad.send(frame);
    await soon(() => expect(bad.frames.filter((frame) => frame.type === 'problem')).toHaveLength(3));
    for (let n = 0; n < 7; n++) bad.send('{');
    large.send('x'.repeat(70_000));
    await soon(() => expect([bad.closed?.code, large.closed?.code]).toEqual([4000, 1009]));
  });

  it('without an upgrade are refused', async () => {
    const { room } = await roomFixture();
    expect((await room.fetch('https://room/')).status).toBe(426);
  });

  it('that do not read stop at the window, hold nobody up, and pull the rest in order (G3, G4, G8)', async () => {
    const { channelId, room, alice, bob, connect } = await roomFixture();
    const [slow, quick] = [await connect(bob), (await connect(alice)).ackAll()];
    for (let page = 0; page < 8; page++) {
      await room.executeBatch(channelId, alice, range(1, 200).map((n) => sendOf(`x ${n}`, `p${page}-${n}`)));
    }
    await soon(() => expect(quick.seqs).toEqual(range(1, 1_600)));
    await soon(() => expect(slow.seqs).toEqual(range(1, 1_000)));
    slow.ackAll().send({ type: 'ack', seq: 1_000 });
    await soon(() => expect(slow.seqs).toEqual(range(1, 1_600)));
    await room.execute(channelId, alice, sendOf('last'));
    await soon(() => expect(slow.seqs.at(-1)).toBe(1_601));
  });
});

describe('resume (G4)', () => {
  it('brings exactly what was missed', async () => {
    const { channelId, room, alice, connect } = await roomFixture();
    await room.executeBatch(channelId, alice, range(1, 20).map((n) => sendOf(`x ${n}`)));
    const socket = await connect(alice, { epoch: 1, seq: 12 });
    expect(socket.welcome).toMatchObject({ seq: 12, head: 20, recovered: true });
    await soon(() => expect(socket.seqs).toEqual(range(13, 20)));
  });

  it.each([['another epoch', { epoch: 2, seq: 3 }], ['the future', { epoch: 1, seq: 99 }]])('from %s begins anew where Postgres is', async (_, since) => {
    const { channelId, room, alice, connect, drained } = await roomFixture();
    await room.executeBatch(channelId, alice, range(1, 5).map((n) => sendOf(`x ${n}`)));
    await soon(async () => expect((await drained()).drained_seq).toBe(5));
    await soon(async () => {
      const { welcome } = await connect(alice, since);
      expect(welcome).toMatchObject({ seq: 5, recovered: false });
    });
  });

  it('reads from the record what the room has no longer, over a poisonous event too, and tells the truth where it is gone (P10, P13)', async () => {
    const { channelId, room, alice, connect, drained } = await roomFixture();
    await room.execute(channelId, alice, sendOf('bad \u0000'));
    await room.executeBatch(channelId, alice, range(2, 20).map((n) => sendOf(`x ${n}`)));
    await soon(async () => expect((await drained()).drained_seq).toBe(20));
    await runInDurableObject(room, (_, state) => {
      state.storage.sql.exec('DELETE FROM events WHERE seq < 15');
      state.storage.sql.exec('UPDATE log_state SET first_seq = 15, first_offset = (SELECT start_offset FROM events WHERE seq = 15)');
    });
    await evictDurableObject(room);
    const old = (await connect(alice, { epoch: 1, seq: 3 })).ackAll();
    expect(old.welcome).toMatchObject({ seq: 3, recovered: true });
    await soon(() => expect(old.seqs).toEqual(range(4, 20)));
    const oldest = (await connect(alice, { epoch: 1, seq: 0 })).ackAll();
    await soon(() => expect(oldest.seqs).toEqual(range(2, 20)));
    await withPostgres((sql) => sql`DELETE FROM event_log WHERE key = ${channelId} AND channel_seq = 7`);
    expect((await connect(alice, { epoch: 1, seq: 3 })).welcome).toMatchObject({ seq: 20, recovered: false });
    expect((await connect(alice, { epoch: 1, seq: 7 })).welcome).toMatchObject({ seq: 7, recovered: true });
  });
});

describe('access (G5)', () => {
  it('is refused to strangers, by what they may know of the channel', async () => {
    for (const [kind, code, status] of [['public', 'not_a_member', 403], ['private', 'not_found', 404]] as const) {
      const { channelId, room, stranger } = await roomFixture(kind);
      const eve = await stranger();
      expect(await room.execute(channelId, eve, sendOf('x'))).toMatchObject({ problem: { code } });
      const response = await TestSocket.request(room, { channel_id: channelId, actor: eve, since: null });
      expect([response.status, response.headers.get('Content-Type')]).toEqual([status, 'application/problem+json']);
      expect(await response.json()).toMatchObject({ code, status });
    }
  });

  it('is given to a member of whom the room was never told', async () => {
    const { channelId, room, alice, stranger, change } = await roomFixture();
    await room.execute(channelId, alice, sendOf('x'));
    const eve = await stranger();
    const lost = await change(eve, 'member');
    expect(await room.execute(channelId, eve, sendOf('x'))).toMatchObject({ ok: { seq: 2 } });
    await room.applyMemberChange(channelId, lost);
    await room.applyMemberChange(channelId, lost);
    expect(await room.execute(channelId, eve, sendOf('x'))).toMatchObject({ ok: { seq: 4 } });
  });

  it('ends before a removal returns (P36)', async () => {
    const { channelId, room, alice, bob, connect, change } = await roomFixture();
    const [gone, stays] = [await connect(bob), await connect(alice)];
    await room.applyMemberChange(channelId, await change(bob, null));
    await room.execute(channelId, alice, sendOf('secret'));
    await soon(() => expect(gone.closed?.code).toBe(4003));
    expect(gone.events).toEqual([]);
    await soon(() => expect(stays.events.map((event) => event.type)).toEqual(['member.removed', 'message.created']));
    expect(await room.execute(channelId, bob, sendOf('x'))).toMatchObject({ problem: { code: 'not_a_member' } });
  });

  it('ends with a credential, for all its sockets and commands, and for no other', async () => {
    const { channelId, room, alice, connect } = await roomFixture();
    const phone = { ...alice, credential_id: uuidv7() };
    const [here, there] = [await connect(alice), await connect(phone)];
    await room.revokeCredentials(channelId, [alice]);
    await soon(() => expect(here.closed?.code).toBe(4001));
    await evictDurableObject(room);
    expect(await room.execute(channelId, alice, sendOf('x'))).toMatchObject({ problem: { code: 'unauthenticated' } });
    expect((await TestSocket.request(room, { channel_id: channelId, actor: alice, since: null })).status).toBe(401);
    expect(await room.execute(channelId, phone, sendOf('x'))).toMatchObject({ ok: { seq: 1 } });
    await soon(() => expect(there.seqs).toEqual([1]));
  });
});
