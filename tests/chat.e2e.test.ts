import type { Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, type Person } from './support/browser.ts';
import { act, channelLink, createChannel, feed, itemOf, joinChannel, say, signIn } from './support/page.ts';
import { problemOf, rawRequest } from './support/raw-http.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';
import type { World } from './support/world.ts';

const skipped = noBrowser !== null && !process.env['CI'];
const WITHIN = { timeout: 20_000 };

let people: TwoPeople | undefined;
let world: World;
let alice: Person;
let bob: Person;

const items = (person: Person, list?: string): Locator => feed(person, list).locator('article.message:not(.pending) .text');
const texts = (person: Person, list?: string): Promise<string[]> => items(person, list).allTextContents();

async function search({ page }: Person, query: string): Promise<string[]> {
  const box = page.getByRole('searchbox', { name: 'Search messages' });
  await box.fill('');
  await box.fill(query);
  await page.waitForTimeout(600);
  return page.getByRole('complementary', { name: 'Search' }).locator('.hit .text').allTextContents();
}

beforeAll(async () => {
  if (skipped) return;
  people = await openTwoPeople('chat');
  ({ world, alice, bob } = people);
});
afterEach(({ task }) => people?.ended(task.result?.state));
afterAll(() => people?.close());

describe.skipIf(skipped)(`alice and bob at the page${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  it('sign in through the identity provider, make a channel and join it', async () => {
    await Promise.all([signIn(alice, world.baseUrl, 'Alice Adams'), signIn(bob, world.baseUrl, 'Bob Baker')]);
    await createChannel(alice, 'plans');
    await joinChannel(bob, 'plans');
    for (const { page } of [alice, bob]) expect(await page.title()).toContain('#plans');
  });

  it('talk, and both see the same in the same order (G3)', async () => {
    await say(alice, 'Shall we go to the sea?');
    await itemOf(bob, 'Shall we go').waitFor();
    await say(bob, 'Yes, by train <b>early</b> 🚂');
    await itemOf(alice, 'by train').waitFor();
    await say(alice, 'first line\nsecond line');
    const said = ['Shall we go to the sea?', 'Yes, by train <b>early</b> 🚂', 'first line\nsecond line'];
    for (const person of [alice, bob]) await expect.poll(() => texts(person), WITHIN).toEqual(said);
  });

  it('react, and the other sees it', async () => {
    await act(bob, 'to the sea?', 'Add a reaction');
    await bob.page.getByRole('button', { name: 'thumbs up' }).click();
    await itemOf(alice, 'to the sea?').getByRole('button', { name: '👍 1' }).click();
    await expect.poll(() => itemOf(bob, 'to the sea?').locator('.reaction').allTextContents(), WITHIN).toEqual(['👍 2']);
  });

  it('see the other type', async () => {
    await alice.page.getByRole('textbox', { name: 'Message #plans' }).pressSequentially('I think', { delay: 600 });
    await bob.page.getByText('Alice Adams is typing…').waitFor();
    expect(await alice.page.getByText('is typing…').count()).toBe(0);
    await alice.page.getByRole('textbox', { name: 'Message #plans' }).fill('');
    await expect.poll(() => bob.page.getByText('is typing…').count(), WITHIN).toBe(0);
  });

  it('see who is there, and what they say of themselves', async () => {
    const bobAsSeen = itemOf(alice, 'Yes, by train');
    await bobAsSeen.locator('.presence.online').waitFor();
    await bob.page.getByRole('button', { name: /Bob Baker/ }).click();
    await bob.page.getByRole('dialog').getByLabel('Presence').selectOption('Do not disturb');
    await bob.page.getByRole('dialog').getByLabel('Status').fill('In a meeting');
    await bob.page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await bobAsSeen.locator('.presence.dnd').waitFor();
    expect(await bobAsSeen.locator('.custom-status').textContent()).toBe('In a meeting');
    await bob.page.getByRole('complementary', { name: 'Workspace' }).locator('.me .presence.dnd').waitFor();
    await bob.page.reload();
    await bob.page.getByRole('complementary', { name: 'Workspace' }).getByText('In a meeting').waitFor();
  });

  it('reply in a thread, which stays out of the channel', async () => {
    await act(bob, 'to the sea?', 'Reply in thread');
    await say(bob, 'Which sea?', 'Reply…');
    await itemOf(alice, 'to the sea?').getByRole('button', { name: '1 reply' }).click();
    await expect.poll(() => texts(alice, 'Replies'), WITHIN).toEqual(['Which sea?']);
    await say(alice, 'The Baltic', 'Reply…');
    await expect.poll(() => texts(bob, 'Replies'), WITHIN).toEqual(['Which sea?', 'The Baltic']);
    await expect.poll(() => items(alice).count()).toBe(3);
    for (const { page } of [alice, bob]) await page.getByRole('button', { name: 'Close thread' }).click();
  });

  it('edit and delete, and the other sees it', async () => {
    await act(bob, 'by train', 'Edit');
    await bob.page.getByRole('textbox', { name: 'Edit message' }).fill('Yes, by ferry');
    await bob.page.keyboard.press('Enter');
    await itemOf(alice, 'Yes, by ferry').waitFor();
    await act(alice, 'second line', 'Delete');
    await alice.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await expect.poll(() => itemOf(bob, 'second line').count(), WITHIN).toBe(0);
    expect((await texts(bob)).slice(0, 1)).toEqual(['Shall we go to the sea?']);
  });

  it('search finds what stands, not what was edited away or deleted', async () => {
    await alice.page.getByRole('button', { name: /^Search/ }).click();
    await expect.poll(() => search(alice, 'ferry'), WITHIN).toEqual(['Yes, by ferry']);
    await expect.poll(() => search(alice, 'baltic'), WITHIN).toEqual(['The Baltic']);
    expect(await search(alice, 'train')).toEqual([]);
    expect(await search(alice, '"second line"')).toEqual([]);
    await alice.page.getByRole('button', { name: 'Close search' }).click();
  });

  it('the badge counts what was not read, and clears', async () => {
    await createChannel(alice, 'elsewhere');
    await say(bob, 'one');
    await say(bob, 'two');
    await channelLink(alice, 'plans').getByLabel('2 unread').waitFor();
    await expect.poll(() => alice.page.title(), WITHIN).toContain('(2)');
    await channelLink(alice, 'plans').click();
    await itemOf(alice, 'two').waitFor();
    await expect.poll(() => channelLink(alice, 'plans').getByLabel(/unread/).count(), WITHIN).toBe(0);
    await alice.page.waitForLoadState('networkidle').catch(() => {});
    await alice.page.reload();
    await itemOf(alice, 'two').waitFor();
    await expect.poll(() => channelLink(alice, 'plans').getByLabel(/unread/).count(), WITHIN).toBe(0);
  });

  it('what is read on one device is read on the others', async () => {
    const other: Page = await alice.page.context().newPage();
    await other.goto(alice.page.url());
    const badge = (page: Page) => page.getByRole('navigation', { name: 'Channels' }).getByRole('link', { name: 'plans' }).getByLabel(/unread/);
    for (const page of [alice.page, other]) await page.getByRole('navigation', { name: 'Channels' }).getByRole('link', { name: 'elsewhere' }).click();
    await say(bob, 'three');
    for (const page of [alice.page, other]) await badge(page).waitFor();
    await alice.page.bringToFront();
    await channelLink(alice, 'plans').click();
    await itemOf(alice, 'three').waitFor();
    for (const page of [alice.page, other]) await expect.poll(() => badge(page).count(), WITHIN).toBe(0);
    await other.close();
  });

  it('one who was cut off gets everything after, once, in order, and so does what they wrote meanwhile (G2, G3, G4)', async () => {
    const before = await texts(bob);
    await bob.page.context().setOffline(true);
    bob.network.cut();
    const missed = Array.from({ length: 30 }, (_, index) => `missed ${index + 1}`);
    for (const text of missed) await say(alice, text);
    await say(bob, 'from the dark');
    await expect.poll(async () => (await texts(alice)).at(-1), WITHIN).toBe('missed 30');
    expect(await texts(bob)).toEqual(before);
    await itemOf(bob, 'from the dark').and(bob.page.locator('.pending')).waitFor();

    bob.network.restore();
    await bob.page.context().setOffline(false);
    const after = [...before, ...missed, 'from the dark'];
    for (const person of [bob, alice]) await expect.poll(() => texts(person), WITHIN).toEqual(after);
  });

  it('a network that died without a word is noticed, and what was said into it arrives once (G2, G4)', async () => {
    const before = await texts(alice);
    bob.network.stall();
    await say(bob, 'into the void');
    await say(alice, 'can you hear me?');
    const status = bob.page.getByRole('complementary', { name: 'Workspace' }).locator('button.status');
    await status.click();
    await expect.poll(() => status.textContent(), WITHIN).not.toBe('Live');
    bob.network.restore();
    await status.click();
    const after = [...before, 'can you hear me?', 'into the void'];
    for (const person of [bob, alice]) await expect.poll(() => texts(person), WITHIN).toEqual(after);
  });

  it('what a tab could not send before it was closed, another sends, once (G2)', async () => {
    const before = await texts(alice);
    const tab: Page = await bob.page.context().newPage();
    await tab.routeWebSocket(/\/socket/, (socket) => socket.close({ code: 1012 }));
    await tab.goto(bob.page.url());
    const composer = tab.getByRole('textbox', { name: 'Message #plans' });
    await composer.fill('said in a closed tab');
    await composer.press('Enter');
    await tab.locator('.pending').filter({ hasText: 'said in a closed tab' }).waitFor();
    await bob.page.reload();
    await itemOf(bob, before.at(-1) ?? '').waitFor();
    expect(await texts(alice)).toEqual(before);
    await tab.close();
    await bob.page.reload();
    for (const person of [bob, alice]) await expect.poll(() => texts(person), WITHIN).toEqual([...before, 'said in a closed tab']);
    await bob.page.reload();
    await expect.poll(() => texts(bob), WITHIN).toEqual([...before, 'said in a closed tab']);
    expect(await bob.page.locator('.pending').count()).toBe(0);
  });

  it('what a page has gathered is what a fresh one reads', async () => {
    const gathered = await texts(bob);
    await bob.page.reload();
    await expect.poll(() => texts(bob), WITHIN).toEqual(gathered);
  });

  it('signing out ends access, in other tabs too (G5)', async () => {
    const other: Page = await bob.page.context().newPage();
    await other.goto(bob.page.url());
    await other.getByRole('textbox', { name: 'Message #plans' }).waitFor();
    const cookies = await bob.page.context().cookies(world.baseUrl);
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    expect((await rawRequest(world.baseUrl, { method: 'GET', path: '/v1/bootstrap', headers: { cookie } })).status).toBe(200);

    await bob.page.getByRole('button', { name: 'Sign out' }).click();
    await bob.page.getByRole('link', { name: 'Sign in' }).waitFor();
    const answer = await rawRequest(world.baseUrl, { method: 'GET', path: '/v1/bootstrap', headers: { cookie } });
    expect(problemOf(answer).code).toBe('unauthenticated');
    await say(alice, 'bob must not see this');
    await other.getByRole('link', { name: 'Sign in' }).waitFor();
    expect(await other.getByText('bob must not see this').count()).toBe(0);
  });

  it('no page threw anything', () => expect([...alice.errors, ...bob.errors]).toEqual([]));
});
