import { afterEach, beforeEach, expect, it } from 'vitest';
import { noteDigests } from '../../db/queries/email-sending.ts';
import { eventually as within } from '../../tests/support/event-log.ts';
import { type FleetProcess, metricsOnceTheySay } from '../../tests/support/fleet.ts';
import { MailServer } from '../../tests/support/mail-bed.ts';
import { NotifiedBed } from '../../tests/support/notified-bed.ts';

/** A fleet takes seconds to start on a busy machine. */
const PATIENCE_MS = 60_000;
const eventually = (isTrue: () => Promise<boolean> | boolean): Promise<void> => within(isTrue, PATIENCE_MS);
const TOKEN = 'the-token-of-the-fleet';

let bed: NotifiedBed;
let server: MailServer;

beforeEach(async () => {
  bed = await NotifiedBed.open();
  server = await MailServer.listen();
});

afterEach(async () => {
  await bed.close();
  await server.close();
});

/** Nobody is at the Worker's address: what the groups have for it waits. */
const start = (): Promise<FleetProcess> =>
  bed.startFleet({ WORKER_URL: 'http://127.0.0.1:9', PUBLIC_URL: 'https://chat.example', FLEET_TOKEN: TOKEN, SMTP_URL: server.url, MAIL_FROM: 'Colink <no-reply@chat.example>' });

async function notify(): Promise<void> {
  await bed.sql`INSERT INTO email_digests (user_id, address, mode, version) VALUES (${bed.ben.id}, 'ben@example.com', 'after', 1)`;
  await bed.notify('a secret text', { at: new Date(Date.now() - 3_600_000) });
  await noteDigests(bed.sql, [bed.ben.id]);
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
  await bed.sql`UPDATE email_digests SET due_at = now()`;
  const second = await start();
  await eventually(async () => (await bed.sql`SELECT FROM email_digests WHERE mailed_seq = 1 AND digest_id IS NULL AND due_at IS NULL`).length === 1);
  const ids = server.received.map(({ headers }) => headers.get('message-id'));
  expect([ids.length, new Set(ids).size, ids[0]]).toEqual([2, 1, expect.stringMatching(/^<[0-9a-f-]{36}@chat\.example>$/)]);
  const metrics = await metricsOnceTheySay(
    second.url,
    'colink_notification_sends_total{channel="email",outcome="sent"} 1',
  );
  expect(await second.end('SIGTERM')).toBe(0);
  expect(`${[...first.lines, ...second.lines].join('\n')}${metrics}`).not.toMatch(/secret text|ben@example|the-token/);
});
