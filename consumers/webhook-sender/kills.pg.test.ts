import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import type { Sql } from '../../db/client.ts';
import { EventWriter } from '../../tests/support/conversation.ts';
import { eventually as within } from '../../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../../tests/support/fleet.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { drain, idOf, insertChannel, insertUser, insertWebhook, readDeliveries, Receiver, type TestWebhook, verified } from '../../tests/support/webhook-bed.ts';

/** A fleet takes seconds to start on a busy machine. */
const PATIENCE_MS = 60_000;
const eventually = (isTrue: () => Promise<boolean> | boolean): Promise<void> => within(isTrue, PATIENCE_MS);

let database: TestDatabase;
let sql: Sql;
let receiver: Receiver;
let fleets: FleetProcess[];
let channel: string;
let webhook: TestWebhook;
let write: EventWriter;

beforeEach(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
  receiver = await Receiver.listen();
  fleets = [];
  const owner = await insertUser(sql);
  channel = await insertChannel(sql, [owner]);
  webhook = await insertWebhook(sql, owner, receiver.url());
  write = new EventWriter(owner);
});

afterEach(async () => {
  await Promise.all(fleets.map((fleet) => fleet.end('SIGKILL')));
  await receiver.close();
  await database.drop();
});

async function start(): Promise<FleetProcess> {
  const fleet = await startFleetProcess({ DATABASE_URL: database.url, ENVIRONMENT: 'development', WEBHOOKS_TO_LOOPBACK: 'true' });
  fleets.push(fleet);
  return fleet;
}

const send = async (count: number): Promise<string[]> => {
  const events = Array.from({ length: count }, () => ({ ...write.send('a secret text'), at: new Date().toISOString() }));
  await drain(sql, channel, events);
  return events.map(({ id }) => id);
};
const pauseFor = (ms: number): Promise<void> => new Promise((resolve) => {
  setTimeout(resolve, ms);
});
/** As if the minute of every lease were over: those who hold one are dead. */
const endLeases = () => sql`UPDATE webhook_deliveries SET next_at = now() WHERE status = 'pending'`;
const allDelivered = async (): Promise<boolean> => (await readDeliveries(sql, webhook.id)).every(({ status }) => status === 'delivered');

describe('a fleet that is killed', { timeout: 2 * PATIENCE_MS }, () => {
  it('between sending and storing has it sent again by another, under the same webhook-id (G1, G2)', async () => {
    const first = await start();
    let isKilled = false;
    receiver.answer = async () => {
      if (!isKilled) {
        isKilled = true;
        await first.end('SIGKILL');
      }
      return { status: 204 };
    };
    const [id] = await send(1);
    await eventually(() => isKilled);
    await eventually(async () => (await readDeliveries(sql, webhook.id)).length === 1);
    expect(await readDeliveries(sql, webhook.id)).toMatchObject([{ event_id: id, status: 'pending', attempts: 0 }]);
    await endLeases();
    await start();
    await eventually(allDelivered);
    expect(receiver.received.map(idOf)).toEqual([id, id]);
    const [once, again] = receiver.received;
    expect(once?.body).toBe(again?.body);
  });

  const seed = seedOfRun();
  it(`again and again, beside another and with an endpoint that fails now and then, delivers every event; receivers know repetitions by their id (seed ${seed}) (G1, G2)`, async () => {
    const random = seededRandom(seed);
    receiver.answer = async () => {
      await pauseFor(random() * 60);
      return { status: random() < 0.1 ? 500 : 200 };
    };
    const ids: string[] = [];
    let running = [await start(), await start()];
    for (let round = 0; round < 6; round += 1) {
      ids.push(...(await send(25)));
      await pauseFor(100 + random() * 400);
      const [victim, ...others] = running;
      await victim?.end('SIGKILL');
      if (random() < 0.5) await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'colink-fleet' AND datname = current_database()`;
      running = [...others, await start()];
    }
    await eventually(async () => {
      // Time enough for what is under way: a lease that ends too soon is taken by another, and what comes of it counts for nothing.
      await pauseFor(3_000);
      await endLeases();
      await sql`UPDATE webhooks SET blocked_until = NULL`;
      return (await readDeliveries(sql, webhook.id)).length === ids.length && (await allDelivered());
    });
    expect([...new Set(receiver.received.map(idOf))].toSorted()).toEqual(ids.toSorted());
    for (const received of receiver.received) expect(verified(webhook.secret, received).data).toMatchObject({ channel_id: channel, id: idOf(received) });
    const [letters] = await sql<[{ n: number }]>`SELECT count(*)::integer AS n FROM dead_letters`;
    expect(letters.n).toBe(0);
  });

  it('by SIGTERM stores what it has sent before it ends, and says no text, address or secret in its logs and metrics', async () => {
    const fleet = await start();
    receiver.answer = async () => {
      await pauseFor(1_000);
      return { status: 200 };
    };
    await send(5);
    await eventually(() => receiver.received.length === 5);
    const metrics = await (await fetch(`${fleet.url}/metrics`)).text();
    expect(await fleet.end('SIGTERM')).toBe(0);
    expect(await allDelivered()).toBe(true);
    expect(receiver.received).toHaveLength(5);
    expect(metrics).toContain('colink_webhook_oldest_due_age_seconds 0');
    expect(`${fleet.lines.join('\n')}${metrics}`).not.toMatch(/secret text|127\.0\.0\.1:|whsec/);
  });
});
