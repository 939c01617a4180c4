import { evictDurableObject } from 'cloudflare:test';
import { uuidv7 } from 'uuidv7';
import { expect, it, vi } from 'vitest';
import { soon } from '../../tests/support/soon.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { inboxFixture } from './inbox-fixture.ts';

const until = (actor: Actor, ms: number): Actor => ({ ...actor, expires_at: Date.now() + ms });

it.concurrent('a sleeping inbox closes a socket at the end of its credential, and no other (G5, P33, P35)', async () => {
  const { inbox, alice, open } = await inboxFixture();
  const lasting = await open();
  const brief = await open(null, until(alice, 5_000));
  await soon(() => expect(brief.frames.filter(({ type }) => type === 'auth.expiring')).toHaveLength(1));
  await evictDurableObject(inbox);
  await vi.waitFor(() => expect(brief.closed?.code).toBe(4001), 20_000);
  expect(lasting.closed).toBeNull();
}, 60_000);

it.concurrent('a socket of an inbox goes on with the credential of a fresh ticket, and ends with that (G5, P34)', async () => {
  const { channelId, inbox, alice, open } = await inboxFixture();
  const fresh = { ...until(alice, 3_600_000), credential_id: uuidv7() };
  const socket = await open(null, until(alice, 30_000));
  socket.send({ type: 'refresh', id: 'good', ticket: await inbox.issueTicket(fresh) });
  await soon(() => expect(socket.result('good')).toMatchObject({ ok: { expires_at: new Date(fresh.expires_at).toISOString() } }));
  await inbox.revokeCredential(alice.credential_id);
  socket.send({ type: 'read', id: 'read', channel_id: channelId, pos: 0 });
  await soon(() => expect(socket.result('read')).toMatchObject({ ok: { read_pos: 0 } }));
  await inbox.revokeCredential(fresh.credential_id);
  await soon(() => expect(socket.closed?.code).toBe(4001));
}, 60_000);
