import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, type Person } from './support/browser.ts';
import { act, createChannel, itemOf, joinChannel, say, signIn } from './support/page.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';

const skipped = noBrowser !== null && !process.env['CI'];
const WITHIN = { timeout: 30_000 };
const WHERE = 'Message #engines';

let people: TwoPeople | undefined;
let alice: Person;
let bob: Person;
let web: Server;
const asked: string[] = [];

beforeAll(async () => {
  if (skipped) return;
  web = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers['user-agent']?.split('/')[0]}`);
    const head = '<title>&lt;img src=x onerror=alert(1)&gt;</title><meta name="description" content="It has &lt;b&gt;words&lt;/b&gt;"><meta property="og:image" content="/picture.png"><meta property="og:site_name" content="Your Bank">';
    response.writeHead(200, { 'content-type': 'text/html' }).end(head);
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  people = await openTwoPeople('previews-page', { linkPreviews: true });
  ({ alice, bob } = people);
  const { baseUrl } = people.world;
  await Promise.all([signIn(alice, baseUrl, 'Alice Adams'), signIn(bob, baseUrl, 'Bob Baker')]);
  await createChannel(alice, 'engines');
  await joinChannel(bob, 'engines');
});
afterEach(({ task }) => people?.ended(task.result?.state));
afterAll(async () => {
  await people?.close();
  web.closeAllConnections();
  web.close();
});

describe.skipIf(skipped)(`previews${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  it('are words below the message, with the host they are from, and nothing is loaded from there; the author can remove them, for everybody', async () => {
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/page`;
    await say(bob, `look at ${url}`, WHERE);
    for (const person of [alice, bob]) {
      const preview = itemOf(person, 'look at').locator('.preview');
      await preview.waitFor(WITHIN);
      expect(await preview.locator('.preview-title').textContent()).toBe('<img src=x onerror=alert(1)>');
      expect(await preview.locator('.preview-description').textContent()).toBe('It has <b>words</b>');
      expect(await preview.locator('.preview-site').textContent()).toBe('Your Bank · 127.0.0.1');
      expect(await preview.locator('img, b').count()).toBe(0);
      expect(await preview.getByRole('link').getAttribute('href')).toBe(url);
    }
    expect(await itemOf(alice, 'look at').getByRole('button', { name: 'Remove the previews' }).count()).toBe(0);
    await alice.page.reload();
    await itemOf(alice, 'look at').locator('.preview').waitFor(WITHIN);
    await itemOf(bob, 'look at').getByRole('button', { name: 'Remove the previews' }).click();
    for (const person of [alice, bob]) await expect.poll(() => itemOf(person, 'look at').locator('.preview').count(), WITHIN).toBe(0);
    expect(asked).toEqual(['/page Colink-LinkPreviews']);
    expect([alice.errors, bob.errors]).toEqual([[], []]);
  });
});

describe.skipIf(skipped)(`pins${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  const panel = ({ page }: Person) => page.getByRole('complementary', { name: 'Pinned messages' });
  const MARKUP = `<b>bold</b> \u202egnidliub\u202c ${'w'.repeat(300)}`;

  it('a pinned message is listed for everybody who looks, leads to where it was said, and may be unpinned by all', async () => {
    await say(alice, MARKUP, WHERE);
    await itemOf(bob, 'gnidliub').waitFor(WITHIN);
    await bob.page.getByRole('button', { name: 'Pinned messages' }).press('Enter');
    await panel(bob).getByText('can be pinned').waitFor(WITHIN);
    await act(alice, 'gnidliub', 'Pin to the channel');
    await itemOf(bob, 'gnidliub').getByText('Pinned by Alice Adams').waitFor(WITHIN);
    const listed = panel(bob).getByRole('listitem').filter({ hasText: '<b>bold</b>' });
    await listed.waitFor(WITHIN);
    expect(await panel(bob).locator('b').count()).toBe(0);
    await bob.page.setViewportSize({ width: 390, height: 780 });
    expect(await bob.page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await listed.getByRole('button', { name: /gnidliub/ }).click();
    await bob.page.locator('article.message.flash').filter({ hasText: 'gnidliub' }).waitFor(WITHIN);
    expect(await panel(bob).count()).toBe(0);
    await bob.page.setViewportSize({ width: 1280, height: 800 });
    await bob.page.getByRole('button', { name: 'Pinned messages' }).press('Enter');
    await panel(bob).getByRole('button', { name: 'Unpin' }).click();
    for (const person of [alice, bob]) await expect.poll(() => itemOf(person, 'gnidliub').getByText('Pinned by').count(), WITHIN).toBe(0);
    await expect.poll(() => listed.count(), WITHIN).toBe(0);
  });

  it('who is removed from the channel while its pins are open sees them no more', async () => {
    await act(alice, 'gnidliub', 'Pin to the channel');
    await panel(bob).getByText('<b>bold</b>').waitFor(WITHIN);
    const channelId = new URL(alice.page.url()).pathname.split('/').at(-1) ?? '';
    const removed = await alice.page.evaluate(`fetch('/v1/users?q=bob').then((r) => r.json()).then(({ data: [bob] }) => fetch('/v1/channels/${channelId}/members/' + bob.id, { method: 'DELETE' })).then((r) => r.status)`);
    expect(removed).toBe(204);
    await bob.page.getByText('You are no longer a member of #engines').waitFor(WITHIN);
    expect(await bob.page.getByText('<b>bold</b>').count()).toBe(0);
  });
});

describe.skipIf(skipped)(`saved messages${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  const saved = ({ page }: { page: Person['page'] }) => page.getByRole('complementary', { name: 'Saved messages' });

  it('are the user\'s alone, on all their tabs, and lead to where they were said, however far one is from there', async () => {
    const { page } = alice;
    const tab = await page.context().newPage();
    await tab.goto(page.url());
    await act(alice, 'look at', 'Save for later');
    await tab.getByRole('button', { name: 'Saved for later' }).click();
    await saved({ page: tab }).getByText('look at').waitFor(WITHIN);
    await createChannel(alice, 'elsewhere');
    await page.getByRole('button', { name: 'Saved for later' }).press('Enter');
    await saved(alice).getByRole('button', { name: /look at/ }).click();
    await page.locator('article.message.flash').filter({ hasText: 'look at' }).waitFor(WITHIN);
    await saved(alice).getByRole('button', { name: 'Remove from saved' }).click();
    for (const one of [alice, { page: tab }]) await saved(one).getByText('Messages that you save').waitFor(WITHIN);
    expect([alice.errors, bob.errors]).toEqual([[], []]);
  });
});
