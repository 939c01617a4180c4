import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EICAR } from '../dev/clamd.ts';
import { noBrowser, type Person } from './support/browser.ts';
import { createChannel, directLink, itemOf, joinChannel, say, signIn } from './support/page.ts';
import { hasClamd } from './support/scan-bed.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';

const skipped = (noBrowser !== null || !hasClamd) && !process.env['CI'];
const WITHIN = { timeout: 40_000 };

let people: TwoPeople;
let alice: Person;
let bob: Person;

const field = ({ page }: Person) => page.getByRole('dialog', { name: 'Settings' }).getByRole('group', { name: 'Picture' });
const choose = (person: Person, name: string, mimeType: string, buffer: Buffer) => field(person).locator('input[type=file]').setInputFiles({ name, mimeType, buffer });
/** The pictures that stand in place of initials. */
const shownIn = ({ page }: Person, place: string) => page.locator(`${place} .avatar img.here`);
const refused = (person: Person, words: string) => field(person).getByRole('alert').filter({ hasText: words }).waitFor(WITHIN);

beforeAll(async () => {
  if (skipped) return;
  people = await openTwoPeople('picture-page', { clamd: true });
  ({ alice, bob } = people);
  const { baseUrl } = people.world;
  await Promise.all([signIn(alice, baseUrl, 'Alice Adams'), signIn(bob, baseUrl, 'Bob Baker')]);
  await createChannel(alice, 'plans');
  await joinChannel(bob, 'plans');
  await say(bob, 'it is me');
  await itemOf(alice, 'it is me').waitFor(WITHIN);
});
afterEach(({ task }) => people?.ended(task.result?.state));
afterAll(() => people?.close());

describe.skipIf(skipped)(`a picture${skipped ? ` (left out: ${noBrowser ?? 'there is no clamd'})` : ''}`, () => {
  it('is chosen in the settings, is there at once, and loses nothing of what is being written beside it', async () => {
    expect(await itemOf(bob, 'it is me').locator('.avatar').textContent()).toBe('BB');
    await bob.page.getByRole('button', { name: 'Settings' }).click();
    const title = bob.page.getByRole('dialog', { name: 'Settings' }).getByLabel('Title', { exact: true });
    await title.fill('Engineer');
    await choose(bob, 'me.png', 'image/png', await sharp({ create: { width: 600, height: 400, channels: 4, background: '#30c060' } }).png().toBuffer());
    await shownIn(bob, '.picture-field').waitFor(WITHIN);
    expect(await title.inputValue()).toBe('Engineer');
    await bob.page.getByRole('button', { name: 'Save', exact: true }).click();
    await bob.page.getByRole('dialog').waitFor({ state: 'detached' });
    const me = await bob.page.request.get(`${people.world.baseUrl}/v1/me`);
    expect(await me.json()).toMatchObject({ title: 'Engineer', avatar: { file_id: expect.any(String) } });
    for (const place of ['article.message', '.me']) await shownIn(bob, place).waitFor(WITHIN);
    expect(await directLink(bob, /.*/).count()).toBe(0);
  });

  it('is beside what its user says, in the list of members and of people, as square as initials are', async () => {
    await alice.page.reload();
    await shownIn(alice, 'article.message').waitFor(WITHIN);
    const { width, height } = (await shownIn(alice, 'article.message').boundingBox()) ?? { width: 0, height: 1 };
    expect([width, height]).toEqual([36, 36]);
    await alice.page.getByRole('button', { name: /members/i }).click();
    await shownIn(alice, '.member').waitFor(WITHIN);
    expect(await alice.page.locator('.member .avatar').count()).toBe(2);
  });

  it('is refused in words where it is none, and what was there stays', async () => {
    await bob.page.getByRole('button', { name: 'Settings' }).click();
    await choose(bob, 'me.png', 'image/png', Buffer.from('no image'));
    await refused(bob, 'the content is not');
    await choose(bob, 'me.txt', 'text/plain', Buffer.from('no image'));
    await refused(bob, 'This file is not an image.');
    await choose(bob, 'me.bin', '', Buffer.from(EICAR));
    await refused(bob, 'infected');
    expect(await shownIn(bob, '.picture-field').count()).toBe(1);
  });

  it('is taken away by a button, and gives way to the initials', async () => {
    await field(bob).getByRole('button', { name: 'Remove picture' }).press('Enter');
    await shownIn(bob, '.picture-field').waitFor({ state: 'detached', ...WITHIN });
    await field(bob).getByRole('button', { name: 'Choose a picture' }).and(bob.page.locator(':focus')).waitFor(WITHIN);
    await bob.page.keyboard.press('Escape');
    await shownIn(bob, 'article.message').waitFor({ state: 'detached', ...WITHIN });
    expect(await itemOf(bob, 'it is me').locator('.avatar').textContent()).toBe('BB');
    await alice.page.reload();
    await itemOf(alice, 'it is me').locator('.avatar').filter({ hasText: 'BB' }).waitFor(WITHIN);
    expect(await alice.page.locator('.avatar img').count()).toBe(0);
    expect([alice.errors, bob.errors]).toEqual([[], []]);
  });
});
