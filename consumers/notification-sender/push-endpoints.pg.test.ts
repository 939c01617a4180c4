import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { PushServer, type TestSubscription } from '../../tests/support/push-bed.ts';
import { PushServiceBed } from '../../tests/support/push-service-bed.ts';

let bed: PushServiceBed;
let sql: Sql;
let to: TestSubscription;

beforeEach(async () => {
  bed = await PushServiceBed.open();
  ({ sql } = bed.people);
  ({ to } = bed);
});
afterEach(() => bed.close());

describe('an endpoint', () => {
  it.each([404, 410])('that answers %i is forgotten, with what waits for it', async (status) => {
    bed.server.answer = () => ({ status });
    await bed.notify();
    await bed.notify();
    bed.start();
    await eventually(() => bed.ended.length === 1);
    expect([bed.server.received.length, bed.ended, await bed.rows(), await bed.state()]).toEqual([1, ['gone'], [], undefined]);
  });

  it.each([400, 403, 413, 301])('that refuses a push by %i is not asked again for it, and gets the next', async (status) => {
    bed.server.answer = (_, nth) => ({ status: nth === 1 ? status : 201 });
    await bed.notify('too much');
    await bed.notify('hello');
    bed.start();
    await eventually(bed.isSettled);
    expect([bed.texts(), await bed.rows(), bed.outcomes]).toEqual([['too much', 'hello'], ['dropped', 'sent'], ['refused', 'sent']]);
  });

  it.each([['429', 120_000], ['503', 120_000]] as const)('that answers %s is left alone for as long as it asks', async (status, asked) => {
    bed.server.answer = (_, nth) => (nth === 1 ? { status: Number(status), headers: { 'retry-after': String(asked / 1_000) } } : { status: 201 });
    await bed.notify();
    bed.start();
    await eventually(async () => (await bed.state())?.failures === 1);
    const waiting = await bed.state();
    expect([waiting?.is_leased, Math.abs((waiting?.waits_ms ?? 0) - asked) < 10_000, bed.server.received.length]).toEqual([false, true, 1]);
    await bed.dueNow();
    await eventually(bed.isSettled);
    expect([await bed.rows(), await bed.state()]).toMatchObject([['sent'], { failures: 0 }]);
  });

  it('that never answers is waited for no longer than an attempt may take, and tried later', async () => {
    bed.server.answer = (_, nth) => (nth === 1 ? null : { status: 201 });
    await bed.notify();
    bed.start(1_000);
    await eventually(async () => (await bed.state())?.failures === 1);
    expect((await bed.state())?.waits_ms).toBeGreaterThan(0);
    await bed.dueNow();
    await eventually(bed.isSettled);
    expect([bed.texts(), await bed.rows()]).toEqual([['hello @ben', 'hello @ben'], ['sent']]);
  });

  it('that is away is tried again, in growing steps, until it is back: nothing is lost, nothing given up (G1)', async () => {
    const { port } = bed.server;
    await bed.server.close();
    for (let n = 0; n < 8; n += 1) await bed.notify(`number ${n}`);
    bed.start();
    const waits: number[] = [];
    for (let failures = 1; failures <= 4; failures += 1) {
      await eventually(async () => (await bed.state())?.failures === failures, 10_000);
      waits.push(Math.round(((await bed.state())?.waits_ms ?? 0) / 1_000));
      if (failures < 4) await bed.dueNow();
    }
    expect(waits).toEqual([5, 30, 120, 600].map((seconds) => expect.closeTo(seconds, -1)));
    expect(await bed.rows()).toEqual(Array.from({ length: 8 }, () => 'pending'));
    bed.server = await PushServer.listen(port);
    await bed.dueNow();
    await eventually(bed.isSettled);
    expect([bed.texts(), bed.errors]).toEqual([Array.from({ length: 8 }, (_, n) => `number ${n}`), []]);
  });

  it('of which every attempt has failed for five days is forgotten', async () => {
    bed.server.answer = () => ({ status: 500 });
    await sql`UPDATE push_subscriptions SET failures = 20, failing_since = now() - interval '5 days'`;
    await bed.notify();
    bed.start();
    await eventually(() => bed.ended.length === 1);
    expect([bed.ended, await bed.state()]).toEqual([['failing'], undefined]);
  });

  it('that is away for long has the newest 50 of what waits, and nothing older than a day (G8)', async () => {
    for (let n = 0; n < 53; n += 1) await bed.notify(`number ${n}`);
    await sql`UPDATE pushes SET created_at = now() - interval '25 hours' WHERE notice_seq = 10`;
    bed.start();
    await eventually(bed.isSettled, 20_000);
    expect(bed.texts()).toEqual(Array.from({ length: 50 }, (_, n) => `number ${n + 3}`).filter((text) => text !== 'number 9'));
  });

  it('that is not public is never asked, and holds up nobody', async () => {
    await sql`UPDATE push_subscriptions SET endpoint = 'http://10.0.0.1/push' WHERE id = ${to.id}`;
    await bed.notify();
    bed.start();
    await eventually(bed.isSettled);
    expect([await bed.rows(), bed.outcomes]).toEqual([['dropped'], ['refused']]);
  });
});
