import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { eventually as within } from '../../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../../tests/support/fleet.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { insertNotice, insertPerson, insertSubscription, newVapidKeys, PushServer, type TestSubscription } from '../../tests/support/push-bed.ts';
import { StoredRoom } from '../../tests/support/stored-room.ts';

/** A fleet takes seconds to start on a busy machine. */
const PATIENCE_MS = 60_000;
const eventually = (isTrue: () => Promise<boolean> | boolean): Promise<void> => within(isTrue, PATIENCE_MS);
const VAPID = newVapidKeys();

let database: TestDatabase;
let sql: Sql;
let server: PushServer;
let fleets: FleetProcess[];
let to: TestSubscription;

beforeEach(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
  server = await PushServer.listen();
  fleets = [];
});

afterEach(async () => {
  await Promise.all(fleets.map((fleet) => fleet.end('SIGKILL')));
  await server.close();
  await database.drop();
});

async function start(): Promise<FleetProcess> {
  const fleet = await startFleetProcess({
    DATABASE_URL: database.url, ENVIRONMENT: 'development', WEBHOOKS_TO_LOOPBACK: 'true', VAPID_PRIVATE_KEY: VAPID.privateKey, VAPID_SUBJECT: VAPID.subject,
  });
  fleets.push(fleet);
  return fleet;
}

async function notify(count: number): Promise<string[]> {
  const [author, reader] = [await insertPerson(sql), await insertPerson(sql)];
  const room = new StoredRoom(sql);
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${room.id}, 'private', 'engine', ${author.id})`;
  await sql`INSERT INTO conversation_logs (channel_id) VALUES (${room.id})`;
  for (const { id } of [author, reader]) await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${room.id}, ${id}, 1)`;
  to = await insertSubscription(sql, reader, server.origin);
  const ids: string[] = [];
  for (let seq = 1; seq <= count; seq += 1) {
    const messageId = await room.send(author.id, 'a secret text');
    ids.push(await insertNotice(sql, { userId: reader.id, seq, authorId: author.id, channelId: room.id, messageId, pos: seq }));
  }
  return ids;
}

const isSettled = async (): Promise<boolean> => (await sql`SELECT FROM pushes WHERE status = 'pending'`).length === 0;
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
    await sql`UPDATE push_subscriptions SET due_at = now()`;
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
