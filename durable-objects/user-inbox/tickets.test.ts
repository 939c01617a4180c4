import { beforeEach, describe, expect, it } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, BOB, NOW } from '../../tests/support/room-core.ts';
import { Tickets } from './tickets.ts';

let tickets: Tickets;
beforeEach(() => {
  tickets = new Tickets(nodeSqlite());
});

const LATER = NOW + 30_000;

describe('Tickets', () => {
  it('serve once (P3)', () => {
    tickets.issue('h', ALICE, NOW, LATER);
    expect(tickets.redeem('h', NOW)).toEqual(ALICE);
    expect(tickets.redeem('h', NOW)).toBeNull();
    expect(tickets.redeem('other', NOW)).toBeNull();
  });

  it('end after their time, and with their credential (P3)', () => {
    tickets.issue('a', ALICE, NOW, LATER);
    tickets.issue('b', { ...ALICE, expires_at: NOW + 10 }, NOW, LATER);
    expect([tickets.redeem('a', LATER), tickets.redeem('b', NOW + 10)]).toEqual([null, null]);
  });

  it('are void once their credential is revoked, those issued after it too (G5)', () => {
    tickets.issue('a', ALICE, NOW, LATER);
    tickets.issue('b', BOB, NOW, LATER);
    tickets.revoke(ALICE.credential_id, NOW);
    tickets.issue('c', ALICE, NOW, LATER);
    expect([tickets.redeem('a', NOW), tickets.redeem('c', NOW), tickets.redeem('b', NOW)]).toEqual([null, null, BOB]);
  });

  it('are at most 1,000: the oldest is void, whatever its time (G8, P50)', () => {
    for (let n = 0; n <= 1_000; n++) tickets.issue(`h${n}`, ALICE, NOW, LATER - n);
    expect([tickets.redeem('h0', NOW), tickets.redeem('h1', NOW), tickets.redeem('h1000', NOW)]).toEqual([null, ALICE, ALICE]);
  });
});
