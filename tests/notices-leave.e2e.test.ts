import type { CDPSession, Page, Worker } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PushPayload } from '../protocol/push.ts';
import { noBrowser, type Person } from './support/browser.ts';
import { MailServer } from './support/mail-bed.ts';
import { channelLink, createChannel, itemOf, joinChannel, say, signIn } from './support/page.ts';
import { Browser, PushServer, type ReceivedPush, verifiedVapid } from './support/push-bed.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';

const skipped = noBrowser !== null && !process.env['CI'];
const WITHIN = { timeout: 20_000 };

let people: TwoPeople | undefined;
let alice: Person;
let bob: Person;
let pushes: PushServer;
let mails: MailServer;
/** Alice's browser, as its push service knows it. */
const browser = new Browser();

const inbox = (): PushPayload[] => pushes.received.map(({ body }) => browser.decrypt(body));

beforeAll(async () => {
  if (skipped) return;
  [pushes, mails] = [await PushServer.listen(), await MailServer.listen()];
  Object.assign(process.env, { SMTP_URL: mails.url, MAIL_FROM: 'Colink <no-reply@chat.example>' });
  people = await openTwoPeople('notices-leave');
  ({ alice, bob } = people);
  await alice.page.context().grantPermissions(['notifications']);
  await alice.page.addInitScript(subscribeHere());
  const { baseUrl } = people.world;
  await Promise.all([signIn(alice, baseUrl, 'Alice Adams'), signIn(bob, baseUrl, 'Bob Baker')]);
  await createChannel(alice, 'engines');
  await joinChannel(bob, 'engines');
  await createChannel(alice, 'elsewhere');
});
afterEach(({ task }) => people?.ended(task.result?.state));
afterAll(async () => {
  for (const name of ['SMTP_URL', 'MAIL_FROM']) Reflect.deleteProperty(process.env, name);
  await people?.close();
  await Promise.all([pushes.close(), mails.close()]);
});

/** A browser's own push service is far away: this one's is ours. The keys are those of the test. */
const subscribeHere = (): string => `
  const subscription = { toJSON: () => (${JSON.stringify({ endpoint: `${pushes.origin}/alice`, keys: { p256dh: browser.p256dh.toString('base64url'), auth: browser.auth.toString('base64url') } })}), unsubscribe: async () => true };
  Object.assign(PushManager.prototype, { subscribe: async () => subscription, getSubscription: async () => subscription });`;

async function workerOf(page: Page): Promise<Worker> {
  const context = page.context();
  return context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
}

/** What came to the push service, as the browser hands it to the page's service worker. */
async function deliver(page: Page, payload: PushPayload, origin: string): Promise<void> {
  const devtools: CDPSession = await page.context().newCDPSession(page);
  const registrations: string[] = [];
  devtools.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: known }) => registrations.push(...known.map(({ registrationId }) => registrationId)));
  await devtools.send('ServiceWorker.enable');
  await expect.poll(() => registrations.length, WITHIN).toBeGreaterThan(0);
  await devtools.send('ServiceWorker.deliverPushMessage', { origin, registrationId: registrations[0] ?? '', data: JSON.stringify(payload) });
  await devtools.detach();
}

const shown = (worker: Worker): Promise<unknown> =>
  worker.evaluate('self.registration.getNotifications().then((all) => all.map(({ title, body, tag }) => ({ title, body, tag })))');

const click = (worker: Worker): Promise<unknown> =>
  worker.evaluate("self.registration.getNotifications().then(([notification]) => self.dispatchEvent(new NotificationEvent('notificationclick', { notification })))");

describe.skipIf(skipped)(`what leaves Colink${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  it('is pushed to a browser whose user asked for it, shown once, and leads to the message; nothing is of what they look at', async () => {
    const { page } = alice;
    const origin = people?.world.baseUrl ?? '';
    await page.getByRole('button', { name: /^Notifications/ }).click();
    await page.getByRole('button', { name: 'Notify me on this device' }).click();
    await page.getByRole('button', { name: 'Stop notifying me on this device' }).waitFor();
    await channelLink(alice, 'engines').click();
    await say(bob, 'before your eyes, @alice', 'Message #engines');
    await itemOf(alice, 'before your eyes').waitFor();
    const sql = people?.world.sql;
    if (sql === undefined) throw new Error('there is no world');
    const read = () => sql`SELECT FROM read_states r JOIN messages m ON m.channel_id = r.channel_id AND m.pos <= r.read_pos WHERE m.text = 'before your eyes, @alice' AND r.user_id <> m.author_id`;
    await expect.poll(async () => (await read()).length, WITHIN).toBe(1);
    await channelLink(alice, 'elsewhere').click();
    await say(bob, 'while you are away, @alice', 'Message #engines');
    await expect.poll(() => inbox().length, WITHIN).toBe(1);
    const [push] = inbox();
    expect(push).toMatchObject({ reason: 'mention', channel_name: 'engines', author: 'Bob Baker', text: 'while you are away, @alice' });
    expect((await verifiedVapid(pushes.received[0] as ReceivedPush)).claims.aud).toBe(pushes.origin);
    if (push === undefined) throw new Error('nothing came');
    const worker = await workerOf(page);
    const other = await page.context().newPage();
    await page.goto('about:blank');
    for (let times = 0; times < 2; times += 1) await deliver(other, push, origin);
    await expect.poll(() => shown(worker), WITHIN).toEqual([{ title: 'Bob Baker mentioned you in #engines', body: 'while you are away, @alice', tag: push.id }]);
    await other.close();
    await page.goto(origin);
    await page.locator('.workspace').waitFor();
    await click(worker);
    await page.waitForURL(`**/channels/${push.channel_id}/messages/${push.message_id}`);
    await itemOf(alice, 'while you are away').waitFor();
    expect(alice.errors).toEqual([]);
  }, 90_000);

  it('is mailed to the address that the identity provider has verified, as one digest, which its link ends', async () => {
    const { page } = alice;
    const patched = await page.evaluate(`fetch('/v1/me/email-settings', {
      method: 'PATCH', headers: { 'content-type': 'application/json', 'if-match': '"0"' }, body: '{"mode":"after","after_minutes":5}',
    }).then(async (response) => [response.status, await response.json()])`);
    expect(patched).toMatchObject([200, { mode: 'after', address: 'alice@colink.test' }]);
    await channelLink(alice, 'elsewhere').click();
    await say(bob, 'something for a digest, @alice', 'Message #engines');
    const sql = people?.world.sql;
    if (sql === undefined) throw new Error('there is no world');
    await expect.poll(async () => (await sql`SELECT FROM email_digests WHERE due_at > now() AND lease IS NULL`).length, WITHIN).toBe(1);
    // As if six minutes were over.
    await sql`UPDATE notifications SET created_at = created_at - interval '6 minutes'`;
    await sql`UPDATE email_digests SET due_at = now()`;
    await expect.poll(() => mails.received.length, WITHIN).toBe(1);
    const [mail] = mails.received;
    expect([mail?.to, mail?.text.includes('something for a digest, @alice'), mail?.text.includes('before your eyes')]).toEqual([['alice@colink.test'], true, false]);
    const link = /^<(.+)>$/.exec(mail?.headers.get('list-unsubscribe') ?? '')?.[1] ?? '';
    await page.goto(link);
    expect((await sql`SELECT FROM email_digests WHERE mode = 'after'`).length).toBe(1);
    await page.getByRole('button', { name: 'No more digests' }).click();
    await page.getByText('There will be no more digests by e-mail.').waitFor();
    expect((await sql`SELECT FROM email_digests WHERE mode = 'after'`).length).toBe(0);
  }, 90_000);
});
