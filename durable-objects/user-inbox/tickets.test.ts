import { beforeEach, describe, expect, it } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, BOB, NOW } from '../../tests/support/room-core.ts';
import { Tickets } from './tickets.ts';

let tickets: Tickets;
beforeEach(() => {
  tickets = new Tickets(nodeSqlite());
});

const LATER = NOW + 30_000;
const redeem = (hash: string, now: number) => tickets.redeem(hash, now, { hash: `after ${hash}`, expiresAt: LATER });

describe('Tickets', () => {
  it('serve once (P3)', () => {
    tickets.issue('h', ALICE, NOW, LATER);
    expect(redeem('h', NOW)).toEqual(ALICE);
    expect(redeem('h', NOW)).toBeNull();
    expect(redeem('other', NOW)).toBeNull();
  });

  it('are followed each by the next, of the same credential (P50)', () => {
    tickets.issue('h', ALICE, NOW, LATER);
    redeem('h', NOW);
    expect([redeem('after h', LATER - 1), redeem('after h', NOW), redeem('after after h', LATER)]).toEqual([ALICE, null, null]);
    tickets.revoke(ALICE.credential_id, NOW);
    expect(redeem('after after h', NOW)).toBeNull();
  });

  it('end after their time, and with their credential (P3)', () => {
    tickets.issue('a', ALICE, NOW, LATER);
    tickets.issue('b', { ...ALICE, expires_at: NOW + 10 }, NOW, LATER);
    expect([redeem('a', LATER), redeem('b', NOW + 10)]).toEqual([null, null]);
  });

  it('are void once their credential is revoked, those issued after it too (G5)', () => {
    tickets.issue('a', ALICE, NOW, LATER);
    tickets.issue('b', BOB, NOW, LATER);
    tickets.revoke(ALICE.credential_id, NOW);
    tickets.issue('c', ALICE, NOW, LATER);
    expect([redeem('a', NOW), redeem('c', NOW), redeem('b', NOW)]).toEqual([null, null, BOB]);
  });

  it('are at most 1,000: the oldest is void, whatever its time (G8, P50)', () => {
    for (let n = 0; n <= 1_000; n++) tickets.issue(`h${n}`, ALICE, NOW, LATER - n);
    expect([redeem('h0', NOW), redeem('h1', NOW), redeem('h1000', NOW)]).toEqual([null, ALICE, ALICE]);
  });
});
