import type { Locator } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, type Person } from './support/browser.ts';
import { createChannel, itemOf, joinChannel, say, signIn } from './support/page.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';
import type { World, WorldUser } from './support/world.ts';

const skipped = noBrowser !== null && !process.env['CI'];
const WITHIN = { timeout: 20_000 };

let people: TwoPeople | undefined;
let world: World;
let alice: Person;
let bob: Person;
let carol: WorldUser;
let channelId: string;

const members = ({ page }: Person): Locator => page.getByRole('complementary', { name: 'Members' });
const names = (person: Person, group: string): Promise<string[]> => members(person).getByRole('region', { name: group }).locator('.member-name .ellipsis').allTextContents();

const hasFocus = ({ page }: Person, wanted: Locator): Promise<void> => wanted.and(page.locator(':focus')).waitFor();
const myself = ({ page }: Person): Locator => page.getByRole('button', { name: /^Bob Baker/ });

const banner = ({ page }: Person): Locator => page.getByRole('status', { name: 'Connection' });

/** Has the connection tried now where that is offered; what the banner says then. */
async function triedNow(person: Person): Promise<string | null> {
  await banner(person).getByRole('button', { name: 'Try now' }).click({ timeout: 500 }).catch(() => {});
  return banner(person).textContent();
}

/** A channel that alice is in with so many others; it is open at her page. Resolves to how many others. */
async function createCrowd(others: number): Promise<number> {
  await createChannel(alice, 'crowd');
  const crowdId = new URL(alice.page.url()).pathname.split('/').at(-1) ?? '';
  for (let from = 0; from < others; from += 10) {
    await Promise.all(Array.from({ length: 10 }, async (_, i) => (await world.user(`u${from + i}`)).api.join(crowdId)));
  }
  return others;
}

beforeAll(async () => {
  if (skipped) return;
  people = await openTwoPeople('page');
  ({ world, alice, bob } = people);
  carol = await world.user('carol');
  await Promise.all([signIn(alice, world.baseUrl, 'Alice Adams'), signIn(bob, world.baseUrl, 'Bob Baker')]);
  await createChannel(alice, 'plans');
  channelId = new URL(alice.page.url()).pathname.split('/').at(-1) ?? '';
});
afterEach(({ task }) => people?.ended(task.result?.state));
afterAll(() => people?.close());

describe.skipIf(skipped)(`what people see of each other${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  it('the members of the open channel: who joins and leaves is listed at once, and who is here', async () => {
    await alice.page.getByRole('button', { name: /^Members/ }).click();
    await expect.poll(() => names(alice, 'Here'), WITHIN).toEqual(['Alice Adams']);
    await joinChannel(bob, 'plans');
    await expect.poll(() => names(alice, 'Here'), WITHIN).toEqual(['Alice Adams', 'Bob Baker']);
    await carol.api.join(channelId);
    await expect.poll(() => names(alice, 'Offline'), WITHIN).toEqual(['carol']);
    await alice.page.getByRole('button', { name: 'Members, 2 here' }).waitFor();
    await carol.api.leave(channelId);
    await expect.poll(() => members(alice).getByRole('region', { name: 'Offline' }).count(), WITHIN).toBe(0);
  });

  it('the panel takes the focus, and gives it back when Escape closes it', async () => {
    const { page } = alice;
    const button = page.getByRole('button', { name: /^Members/ });
    await members(alice).getByRole('button', { name: 'Close members' }).click();
    await button.press('Enter');
    await hasFocus(alice, members(alice));
    await page.keyboard.press('Escape');
    await hasFocus(alice, button);
    await button.press('Enter');
    expect(await names(alice, 'Here')).toEqual(['Alice Adams', 'Bob Baker']);
  });

  it('a channel that is made private, or public again, shows it to all at once, after it was said what that means', async () => {
    const locks = ({ page }: Person): Promise<number> => page.getByRole('main').locator('h1 .channel-sign svg').count();
    for (const [kind, meaning, shown] of [['private', /only its members/, 1], ['public', /in confidence too/, 0]] as const) {
      await members(alice).getByRole('button', { name: `Make ${kind}` }).click();
      const asked = alice.page.getByRole('dialog', { name: `Make #plans ${kind}?` });
      await asked.getByText(meaning).waitFor();
      await asked.getByRole('button', { name: `Make ${kind}` }).click();
      for (const person of [alice, bob]) await expect.poll(() => locks(person), WITHIN).toBe(shown);
    }
  });

  it('a status is chosen without a mouse, and told to those who look', async () => {
    const { page } = bob;
    await myself(bob).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Your status' }).waitFor();
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('searchbox', { name: 'Find an emoji' }).pressSequentially('palm');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await hasFocus(bob, page.getByRole('button', { name: 'Emoji: palm' }));
    await page.keyboard.press('Tab');
    await page.keyboard.type('On holiday');
    await page.getByLabel('Ends').selectOption('In four hours');
    await page.getByLabel('Presence').selectOption('Away');
    await page.getByRole('textbox', { name: 'Status' }).press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await hasFocus(bob, myself(bob));
    const bobs = members(alice).getByRole('listitem').filter({ hasText: 'Bob Baker' });
    await expect.poll(() => bobs.textContent(), WITHIN).toMatch(/Bob Baker, away.*🌴 On holiday/u);
    await bobs.locator('.presence.away').waitFor();
  });

  it('a dialog keeps the focus inside, and Escape closes one thing at a time', async () => {
    const { page } = bob;
    await myself(bob).click();
    await page.getByRole('button', { name: 'Emoji: palm' }).click();
    await page.getByRole('searchbox', { name: 'Find an emoji' }).press('Escape');
    expect(await page.getByRole('dialog').count()).toBe(1);
    for (let turn = 0; turn < 12; turn++) {
      await page.keyboard.press(turn < 9 ? 'Tab' : 'Shift+Tab');
      expect(await page.locator('dialog :focus').count()).toBe(1);
    }
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await hasFocus(bob, myself(bob));
  });

  it('a mention is marked where it names someone, and stands out where it names the reader', async () => {
    await say(alice, 'Thanks @bob, and @nobody else');
    const mine = itemOf(bob, 'and @nobody else');
    await mine.waitFor();
    expect(await mine.locator('mark').allTextContents()).toEqual(['@bob']);
    expect(await mine.and(bob.page.locator('.names-me')).count()).toBe(1);
    const alices = itemOf(alice, 'and @nobody else');
    expect(await alices.locator('.mention').allTextContents()).toEqual(['@bob']);
    expect(await alices.locator('mark').count()).toBe(0);
  });

  it('whom to mention is offered by the members of the channel, and taken by keyboard', async () => {
    const { page } = alice;
    await page.getByRole('textbox', { name: 'Message #plans' }).pressSequentially('for @ba');
    await page.getByRole('listbox', { name: 'People to mention' }).getByRole('option', { name: 'Bob Baker', selected: true }).waitFor();
    await page.keyboard.press('Enter');
    await page.keyboard.type('and you');
    expect(await page.getByRole('textbox', { name: 'Message #plans' }).inputValue()).toBe('for @bob and you');
    await page.keyboard.press('Enter');
    await expect.poll(() => itemOf(bob, 'and you').locator('mark').allTextContents(), WITHIN).toEqual(['@bob']);
    await page.keyboard.type('once more @bob');
    await page.getByRole('listbox').waitFor();
    await page.keyboard.press('Enter');
    await itemOf(bob, 'once more').waitFor();
    expect(await page.getByRole('listbox').count()).toBe(0);
    await page.keyboard.type('@');
    await page.getByRole('listbox').waitFor();
    await page.keyboard.press('Escape');
    expect(await page.getByRole('listbox').count()).toBe(0);
    await page.getByRole('textbox', { name: 'Message #plans' }).fill('');
  });

  it('who is pressed in a list of people is taken, and the field keeps the focus', async () => {
    const { page } = alice;
    const field = page.getByRole('textbox', { name: 'Message #plans' });
    await field.pressSequentially('with @ba');
    await page.getByRole('listbox', { name: 'People to mention' }).getByRole('option', { name: 'Bob Baker' }).click();
    await page.keyboard.type('too');
    expect(await field.inputValue()).toBe('with @bob too');
    await field.fill('');
    await page.getByRole('button', { name: 'Start a conversation' }).click();
    await page.keyboard.type('bob');
    await page.getByRole('listbox', { name: 'People found' }).getByRole('option', { name: 'Bob Baker' }).click();
    await page.getByRole('list', { name: 'Chosen' }).getByText('Bob Baker').waitFor();
    await page.getByRole('combobox', { name: 'People' }).and(page.locator(':focus')).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  it('code is set apart, and no text becomes anything but text', async () => {
    const hostile = '<img src=x onerror="document.title=1"> `<b>inline</b>`\n```\n<script>document.title = 2</script>\n```\n[x](javascript:alert(1))';
    await say(alice, hostile);
    const seen = itemOf(bob, 'inline');
    await seen.waitFor();
    expect(await seen.locator('code').allTextContents()).toEqual(['<b>inline</b>', '<script>document.title = 2</script>']);
    expect(await seen.locator('.text img, .text script, .text b, .text a').count()).toBe(0);
    expect(await bob.page.title()).toContain('#plans');
  });

  it('who types is told in a live region', async () => {
    await bob.page.getByRole('textbox', { name: 'Message #plans' }).pressSequentially('hm');
    await alice.page.getByRole('status').filter({ hasText: 'Bob Baker is typing…' }).waitFor();
    expect(await bob.page.getByRole('status').filter({ hasText: 'is typing…' }).count()).toBe(0);
    await bob.page.getByRole('textbox', { name: 'Message #plans' }).fill('');
  });

  it('one who is offline is told so, and that what they write waits; it is sent when they are back (G2)', async () => {
    await bob.page.context().setOffline(true);
    bob.network.cut();
    await say(bob, 'written on the train');
    await banner(bob).getByText('You are offline.').waitFor();
    await bob.page.getByRole('article', { name: 'You, waiting to be sent' }).waitFor();
    bob.network.restore();
    await bob.page.context().setOffline(false);
    await itemOf(alice, 'written on the train').waitFor();
    await expect.poll(() => banner(bob).textContent(), WITHIN).toBe('');
    await expect.poll(() => bob.page.locator('.pending').count(), WITHIN).toBe(0);
  });

  it('one whose connection was lost sees it tried again, and can have it tried now', async () => {
    bob.network.cut();
    await banner(bob).getByText(/^The connection was lost\./).waitFor();
    bob.network.restore();
    await expect.poll(() => triedNow(bob), WITHIN).toBe('');
    await say(alice, 'there you are');
    await itemOf(bob, 'there you are').waitFor();
  });

  it('a message that is refused says so, and can be sent again or discarded', async () => {
    await say(bob, 'not to be stored: \u0000');
    const refused = bob.page.getByRole('article', { name: 'You, not sent' });
    await refused.getByRole('button', { name: 'Retry' }).click();
    await refused.getByRole('button', { name: 'Discard' }).click();
    await expect.poll(() => bob.page.locator('.pending').count(), WITHIN).toBe(0);
    expect(await itemOf(alice, 'not to be stored').count()).toBe(0);
  });

  it('on a phone, channels and members open over the messages and give the focus back', async () => {
    const { page } = bob;
    await page.setViewportSize({ width: 390, height: 844 });
    const menu = page.getByRole('button', { name: 'Channels', exact: true });
    await menu.click();
    await page.getByRole('navigation', { name: 'Channels' }).getByRole('link', { name: 'plans' }).waitFor();
    await page.keyboard.press('Escape');
    await hasFocus(bob, menu);
    await page.getByRole('button', { name: /^Members/ }).press('Enter');
    const panel = await members(bob).boundingBox();
    expect([panel?.width, panel?.height]).toEqual([390, 844]);
    await members(bob).getByRole('button', { name: 'Close members' }).click();
    await hasFocus(bob, page.getByRole('button', { name: /^Members/ }));
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  it('of a channel of more than 200 members it is told how many are here, not who', { timeout: 180_000 }, async () => {
    const crowd = await createCrowd(200);
    await expect.poll(() => members(alice).getByRole('status').allTextContents(), { timeout: 60_000 }).toEqual([expect.stringMatching(/^\d+ here now\. /)]);
    await expect.poll(() => names(alice, 'Members').then(({ length }) => length), WITHIN).toBe(crowd + 1);
    expect(await members(alice).locator('.presence').count()).toBe(0);
  });

  it('one who was signed out elsewhere is told so; one who signs out is not (G5)', async () => {
    const other = await bob.page.context().newPage();
    await other.goto(world.baseUrl);
    await other.getByRole('button', { name: 'Sign out' }).click();
    await other.getByText('Talk with your team.').waitFor();
    await bob.page.getByText('You have been signed out.').waitFor();
    expect(await bob.page.getByRole('link', { name: 'Sign in' }).count()).toBe(1);
    expect(await bob.page.getByRole('feed').count()).toBe(0);
  });

  it('no page threw anything', () => expect([...alice.errors, ...bob.errors]).toEqual([]));
});
