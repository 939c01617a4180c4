import { createExecutionContext, evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, it, vi } from 'vitest';
import { reconnectWindow } from '../protocol/close-codes.ts';
import { createApp } from '../workers/app.ts';
import { expectProblem, newCaller, newChannel, newToken, ORIGIN, send, type Caller } from '../workers/api-fixture.ts';
import { announce as announcePage } from '../workers/restart.ts';
import { createServices } from '../workers/services.ts';
import { bearer, channelSocket, INBOX_SOCKET, offering, openSocket, ticketOf } from '../workers/socket-fixture.ts';
import { soon } from './support/soon.ts';

/** Nothing listens on port 1. */
const away = { ...env, POSTGRES: { connectionString: 'postgres://colink:x@127.0.0.1:1/colink?sslmode=disable' } };

const announce = (by: Caller) => by.call('POST', '/v1/admin/restart-announcements', { within_seconds: 60 });
const times = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

it('a herd resumes from the tail with Postgres away, each by a ticket of its own (G4, P9)', async () => {
  const ada = await newCaller();
  const { id } = await newChannel(ada);
  const { seq } = await send(ada, id, 'before');
  const tickets = await Promise.all(times(60).map(() => ticketOf(ada)));
  await send(ada, id, 'missed');
  for (const object of [env.ROOMS.getByName(id), env.INBOXES.getByName(ada.user.id)]) {
    await evictDurableObject(object);
    await runInDurableObject(object, (instance: object) => void Object.assign(instance, { env: away }));
  }
  const app = createApp(createServices());
  const query = `?epoch=1&since=${seq ?? 0}`;
  const answers = await Promise.all(tickets.map((ticket) => {
    const headers = { Upgrade: 'websocket', ...offering(ticket) };
    return app.fetch(new Request(`${ORIGIN}${channelSocket(id)}${query}`, { headers }), away, createExecutionContext());
  }));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([101]));
  const welcomes = await Promise.all(answers.map(({ webSocket }) => new Promise((resolve) => {
    webSocket?.addEventListener('message', ({ data }) => resolve(JSON.parse(String(data))), { once: true });
    webSocket?.accept();
  })));
  for (const welcome of welcomes) expect(welcome).toMatchObject({ type: 'welcome', seq, recovered: true });
  for (const { webSocket } of answers) webSocket?.close(1000);
}, 60_000);

it('sockets that are closed together are told a window to come back in, and a lone one comes at once (P39)', async () => {
  const ada = await newCaller();
  const { id } = await newChannel(ada);
  const herd = await Promise.all(times(20).map(() => openSocket(channelSocket(id), bearer(ada))));
  const room = env.ROOMS.getByName(id);
  await runInDurableObject(room, (_, state) => void state.storage.sql.exec('UPDATE log_state SET epoch = epoch + 1'));
  await evictDurableObject(room);
  await send(ada, id, 'wakes the room in another epoch');
  await vi.waitFor(() => expect(herd.map((socket) => socket.closed()?.code)).toEqual(herd.map(() => 4009)), 10_000);
  expect(new Set(herd.map((socket) => reconnectWindow(socket.closed()?.reason ?? '')))).toEqual(new Set([290]));
  const lone = await openSocket(channelSocket(id), bearer(await newToken(ada.user, { expires_at: new Date(Date.now() + 5_000) })));
  await vi.waitFor(() => expect(lone.closed()).toMatchObject({ code: 4001, reason: 'the credential has expired' }), 20_000);
}, 60_000);

it('a planned restart is announced to all live rooms and inboxes, by administrators (P39)', async () => {
  const [admin, ada] = [await newCaller({ role: 'admin' }), await newCaller()];
  const { id } = await newChannel(ada);
  const sockets = [await openSocket(channelSocket(id), bearer(ada)), await openSocket(INBOX_SOCKET, bearer(ada))];
  const hub = env.METRICS_HUB.getByName('hub');
  await vi.waitFor(async () => {
    const { channel_ids, user_ids } = await hub.listening(null, 1_000);
    expect([channel_ids.includes(id), user_ids.includes(ada.user.id)]).toEqual([true, true]);
  }, 10_000);
  expectProblem(await announce(ada), 'forbidden');
  const { status, body } = await announce(admin);
  expect([status, body]).toEqual([200, expect.objectContaining({ unreached: 0 })]);
  for (const socket of sockets) await soon(() => expect(socket.frames.at(-1)).toEqual({ type: 'reconnect', within_ms: 60_000 }));
  let cursor: string | null = null;
  do ({ next_cursor: cursor } = await announcePage(env, 30_000, cursor, 1)); while (cursor !== null);
  for (const socket of sockets) await soon(() => expect(socket.frames.slice(-2)).toEqual([60_000, 30_000].map((within_ms) => ({ type: 'reconnect', within_ms }))));
  for (const socket of sockets) socket.close();
  await vi.waitFor(async () => expect((await hub.listening(null, 1_000)).user_ids).not.toContain(ada.user.id), 10_000);
}, 60_000);
