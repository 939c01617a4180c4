import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { noteDigests } from '../../db/queries/email-sending.ts';
import { eventually as within } from '../../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../../tests/support/fleet.ts';
import { MailServer } from '../../tests/support/mail-bed.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { insertNotice, insertPerson } from '../../tests/support/push-bed.ts';
import { StoredRoom } from '../../tests/support/stored-room.ts';

/** A fleet takes seconds to start on a busy machine. */
const PATIENCE_MS = 60_000;
const eventually = (isTrue: () => Promise<boolean> | boolean): Promise<void> => within(isTrue, PATIENCE_MS);
const TOKEN = 'the-token-of-the-fleet';

let database: TestDatabase;
let sql: Sql;
let server: MailServer;
let fleets: FleetProcess[];

beforeEach(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
  server = await MailServer.listen();
  fleets = [];
});

afterEach(async () => {
  await Promise.all(fleets.map((fleet) => fleet.end('SIGKILL')));
  await server.close();
  await database.drop();
});

async function start(): Promise<FleetProcess> {
  // Nobody is at the Worker's address: what the groups have for it waits.
  const fleet = await startFleetProcess({
    DATABASE_URL: database.url, WORKER_URL: 'http://127.0.0.1:9', PUBLIC_URL: 'https://chat.example', FLEET_TOKEN: TOKEN, SMTP_URL: server.url, MAIL_FROM: 'Colink <no-reply@chat.example>',
  });
  fleets.push(fleet);
  return fleet;
}

async function notify(): Promise<void> {
  const [author, reader] = [await insertPerson(sql), await insertPerson(sql)];
  const room = new StoredRoom(sql);
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${room.id}, 'private', 'engine', ${author.id})`;
  await sql`INSERT INTO conversation_logs (channel_id) VALUES (${room.id})`;
  for (const { id } of [author, reader]) await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${room.id}, ${id}, 1)`;
  await sql`INSERT INTO email_digests (user_id, address, mode, version) VALUES (${reader.id}, 'ben@example.com', 'after', 1)`;
  const messageId = await room.send(author.id, 'a secret text');
  await insertNotice(sql, { userId: reader.id, seq: 1, authorId: author.id, channelId: room.id, messageId, pos: 1, at: new Date(Date.now() - 3_600_000) });
  await noteDigests(sql, [reader.id]);
}

it('a fleet that is killed between mailing and storing has it mailed again by another, under the same Message-ID, and once only; its logs say no word and no address (G1, G2)', { timeout: 2 * PATIENCE_MS }, async () => {
  const first = await start();
  let isKilled = false;
  server.refuse = async (at, nth) => {
    if (at === 'message' && nth === 1) {
      await first.end('SIGKILL');
      isKilled = true;
    }
    return null;
  };
  await notify();
  await eventually(() => isKilled);
  // As if the lease were over.
  await sql`UPDATE email_digests SET due_at = now()`;
  const second = await start();
  await eventually(async () => (await sql`SELECT FROM email_digests WHERE mailed_seq = 1 AND digest_id IS NULL AND due_at IS NULL`).length === 1);
  const ids = server.received.map(({ headers }) => headers.get('message-id'));
  expect([ids.length, new Set(ids).size, ids[0]]).toEqual([2, 1, expect.stringMatching(/^<[0-9a-f-]{36}@chat\.example>$/)]);
  const metrics = await (await fetch(`${second.url}/metrics`)).text();
  expect(metrics).toContain('colink_notification_sends_total{channel="email",outcome="sent"} 1');
  expect(await second.end('SIGTERM')).toBe(0);
  expect(`${[...first.lines, ...second.lines].join('\n')}${metrics}`).not.toMatch(/secret text|ben@example|the-token/);
});
