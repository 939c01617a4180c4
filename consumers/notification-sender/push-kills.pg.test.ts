import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually as within } from '../../tests/support/event-log.ts';
import type { FleetProcess } from '../../tests/support/fleet.ts';
import { NotifiedBed } from '../../tests/support/notified-bed.ts';
import { insertSubscription, newVapidKeys, PushServer, type TestSubscription } from '../../tests/support/push-bed.ts';

/** A fleet takes seconds to start on a busy machine. */
const PATIENCE_MS = 60_000;
const eventually = (isTrue: () => Promise<boolean> | boolean): Promise<void> => within(isTrue, PATIENCE_MS);
const VAPID = newVapidKeys();

let bed: NotifiedBed;
let server: PushServer;
let to: TestSubscription;

beforeEach(async () => {
  bed = await NotifiedBed.open();
  server = await PushServer.listen();
  to = await insertSubscription(bed.sql, bed.ben, server.origin);
});

afterEach(async () => {
  await bed.close();
  await server.close();
});

const start = (): Promise<FleetProcess> =>
  bed.startFleet({ ENVIRONMENT: 'development', WEBHOOKS_TO_LOOPBACK: 'true', VAPID_PRIVATE_KEY: VAPID.privateKey, VAPID_SUBJECT: VAPID.subject });

async function notify(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) ids.push((await bed.notify('a secret text')).notice);
  return ids;
}

const isSettled = async (): Promise<boolean> => (await bed.sql`SELECT FROM pushes WHERE status = 'pending'`).length === 0;
const idsReceived = (): string[] => server.received.map(({ body }) => to.browser.decrypt(body).id);

describe('a fleet that is killed', { timeout: 2 * PATIENCE_MS }, () => {
  it('between sending and storing has it sent again by another, with the same id and topic; what it had stored is not sent again (G1, G2)', async () => {
    const first = await start();
    let isKilled = false;
    server.answer = async (_, nth) => {
      if (nth === 3) {
        await first.end('SIGKILL');
        isKilled = true;
      }
      return { status: 201 };
    };
    const ids = await notify(5);
    await eventually(() => isKilled);
    expect(await isSettled()).toBe(false);
    // As if the minute of its lease were over.
    await bed.sql`UPDATE push_subscriptions SET due_at = now()`;
    await start();
    await eventually(isSettled);
    expect(idsReceived()).toEqual([...ids.slice(0, 3), ...ids.slice(2)]);
    const [once, again] = server.received.slice(2, 4);
    expect([once?.headers['topic'], once?.headers['topic'] === again?.headers['topic']]).toEqual([expect.stringMatching(/^[\w-]{22}$/), true]);
  });

  it('by SIGTERM stores what it has sent before it ends, and says no text, endpoint or key in its logs and metrics', async () => {
    const fleet = await start();
    server.answer = async () => {
      await new Promise((resolve) => {
        setTimeout(resolve, 1_000);
      });
      return { status: 201 };
    };
    await notify(1);
    await eventually(() => server.received.length === 1);
    const metrics = await (await fetch(`${fleet.url}/metrics`)).text();
    expect(await fleet.end('SIGTERM')).toBe(0);
    expect([await isSettled(), server.received.length]).toEqual([true, 1]);
    expect(metrics).toContain('colink_push_oldest_due_age_seconds 0');
    expect(`${fleet.lines.join('\n')}${metrics}`).not.toMatch(new RegExp(`secret text|${to.path}|${VAPID.privateKey}`));
  });
});
