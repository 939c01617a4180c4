import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { uuidv7 } from 'uuidv7';
import { expect, it } from 'vitest';
import type { Actor } from '../sockets/actor-api.ts';

const actor = (): Actor => ({ user_id: uuidv7(), credential_id: uuidv7(), expires_at: Date.now() + 60_000 });

it('issues tickets that a subprotocol can carry, that name the inbox, and that serve once', async () => {
  const alice = actor();
  const inbox = env.INBOXES.getByName(alice.user_id);
  const ticket = await inbox.issueTicket(alice);
  expect(ticket).toMatch(new RegExp(`^${alice.user_id.replaceAll('-', '')}[A-Za-z0-9_-]{43}$`));
  await evictDurableObject(inbox);
  const answers = await Promise.all([inbox.redeemTicket(ticket), inbox.redeemTicket(ticket)]);
  expect(answers.filter((answer) => answer !== null)).toMatchObject([{ actor: alice, next_ticket: expect.any(String) }]);
});

it('knows no other tickets, and none of a revoked credential (G5)', async () => {
  const alice = actor();
  const inbox = env.INBOXES.getByName(alice.user_id);
  const ticket = await inbox.issueTicket(alice);
  await inbox.revokeCredential(alice.credential_id);
  expect(await inbox.redeemTicket(ticket)).toBeNull();
  expect(await inbox.redeemTicket(await inbox.issueTicket(alice))).toBeNull();
  expect(await inbox.redeemTicket('nonsense')).toBeNull();
});
