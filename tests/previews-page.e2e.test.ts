import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, type Person } from './support/browser.ts';
import { createChannel, itemOf, joinChannel, say, signIn } from './support/page.ts';
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
