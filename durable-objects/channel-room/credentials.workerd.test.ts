import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { uuidv7 } from 'uuidv7';
import { expect, it, vi } from 'vitest';
import { soon } from '../../tests/support/soon.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { roomFixture, sendOf } from './room-fixture.ts';

const until = (actor: Actor, ms: number): Actor => ({ ...actor, expires_at: Date.now() + ms });
const iso = (at: number): string => new Date(at).toISOString();

it.concurrent('a sleeping room tells a socket 60 s before its credential ends (P33)', async () => {
  const { room, alice, bob, connect } = await roomFixture();
  await connect(bob);
  const brief = until(alice, 70_000);
  const socket = await connect(brief);
  expect(await runInDurableObject(room, (_, state) => state.storage.getAlarm())).toBe(brief.expires_at - 60_000);
  await evictDurableObject(room);
  expect(socket.frames).toHaveLength(1);
  await vi.waitFor(() => expect(socket.frames[1]).toEqual({ type: 'auth.expiring', expires_at: iso(brief.expires_at) }), 20_000);
  expect(Date.now()).toBeLessThanOrEqual(brief.expires_at - 40_000);
}, 60_000);

it.concurrent('a sleeping room closes a socket at the end of its credential, though nothing is sent (G5, P35)', async () => {
  const { room, alice, bob, connect } = await roomFixture();
  const lasting = await connect(bob);
  const brief = await connect(until(alice, 5_000));
  brief.send({ type: 'ack', seq: 0 });
  await soon(() => expect(brief.frames[1]).toMatchObject({ type: 'auth.expiring' }));
  await evictDurableObject(room);
  await vi.waitFor(() => expect(brief.closed?.code).toBe(4001), 20_000);
  expect(lasting.closed).toBeNull();
}, 60_000);

it.concurrent('a socket goes on with the credential of a fresh ticket, across the end of its first and its own sleep (G5, P34)', async () => {
  const { channelId, room, alice, bob, connect } = await roomFixture();
  await connect(bob);
  const first = until(alice, 8_000);
  const socket = await connect(first);
  const fresh = { ...until(alice, 3_600_000), credential_id: uuidv7() };
  const inbox = env.INBOXES.getByName(alice.user_id);
  const [ticket, foreign] = [await inbox.issueTicket(fresh), await env.INBOXES.getByName(bob.user_id).issueTicket(bob)];
  socket.send({ type: 'refresh', id: 'foreign', ticket: foreign });
  await soon(() => expect(socket.result('foreign')).toMatchObject({ problem: { code: 'unauthenticated' } }));
  socket.send({ type: 'refresh', id: 'good', ticket });
  await soon(() => expect(socket.result('good')?.ok).toMatchObject({ expires_at: iso(fresh.expires_at) }));
  socket.send({ type: 'refresh', id: 'again', ticket });
  await soon(() => expect(socket.result('again')).toMatchObject({ problem: { code: 'unauthenticated' } }));
  await evictDurableObject(room);
  await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(first.expires_at + 1_000), { timeout: 20_000, interval: 500 });
  await room.revokeCredentials(channelId, [alice]);
  socket.send({ id: 's', ...sendOf('still here') });
  await soon(() => expect(socket.result('s')).toMatchObject({ ok: { seq: 1 } }));
  await room.revokeCredentials(channelId, [fresh]);
  await soon(() => expect(socket.closed?.code).toBe(4001));
}, 60_000);
