import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, type Person } from './support/browser.ts';
import { channelLink, createChannel, directLink, itemOf, joinChannel, say, signIn, startConversation } from './support/page.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';
import type { WorldUser } from './support/world.ts';

const skipped = noBrowser !== null && !process.env['CI'];
const WITHIN = { timeout: 20_000 };

let people: TwoPeople | undefined;
let alice: Person;
let bob: Person;
let aliceByApi: WorldUser;

const bell = ({ page }: Person) => page.getByRole('button', { name: /^Notifications/ });
const tell = (text: string): Promise<void> => say(bob, text, 'Message #engines');
const panel = ({ page }: Person) => page.getByRole('complementary', { name: 'Notifications' });

beforeAll(async () => {
  if (skipped) return;
  people = await openTwoPeople('notifications-page');
  ({ alice, bob } = people);
  const { baseUrl } = people.world;
  // Before she signs in, for each signing in tells anew what she is called.
  aliceByApi = await people.world.user('alice');
  await Promise.all([signIn(alice, baseUrl, 'Alice Adams'), signIn(bob, baseUrl, 'Bob Baker')]);
  await createChannel(alice, 'engines');
  await joinChannel(bob, 'engines');
});
afterEach(({ task }) => people?.ended(task.result?.state));
afterAll(() => people?.close());

describe.skipIf(skipped)(`the bell${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  it('counts what one was notified of, but not what is before one\'s eyes; shows it, goes there, and marks it as read', async () => {
    await tell('seen at once, @alice');
    await itemOf(alice, 'seen at once').waitFor();
    await createChannel(alice, 'elsewhere');
    await tell('while you were away, @alice');
    await expect.poll(() => bell(alice).getAttribute('aria-label'), WITHIN).toBe('Notifications, 1 unread');
    await bell(alice).click();
    await panel(alice).getByText('while you were away').waitFor();
    expect(await panel(alice).getByRole('listitem').count()).toBe(1);
    await panel(alice).getByRole('button', { name: /while you were away/ }).click();
    await itemOf(alice, 'while you were away').waitFor();
    await expect.poll(() => bell(alice).getAttribute('aria-label'), WITHIN).toBe('Notifications');
  });

  it('stays silent for a channel that is muted, but for mentions', async () => {
    await alice.page.getByRole('button', { name: 'Mute channel' }).click();
    await alice.page.getByRole('button', { name: 'Unmute channel' }).waitFor();
    await alice.page.reload();
    await alice.page.getByRole('button', { name: 'Unmute channel' }).waitFor();
    await channelLink(alice, 'elsewhere').click();
    await tell('@channel, all of you');
    await tell('and you, @alice');
    await expect.poll(() => bell(alice).getAttribute('aria-label'), WITHIN).toBe('Notifications, 1 unread');
    await bell(alice).click();
    await panel(alice).getByText('and you, @alice').waitFor();
    expect(await panel(alice).getByText('all of you').count()).toBe(0);
    await panel(alice).getByRole('button', { name: 'Mark all as read' }).click();
    await expect.poll(() => bell(alice).getAttribute('aria-label'), WITHIN).toBe('Notifications');
  });

  it('tells of a keyword that somebody used, while one looks elsewhere; of words that only hold it, nothing', async () => {
    const { page } = alice;
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('dialog').getByLabel('Keywords').fill('Flywheel');
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    // Not from the page: nobody is notified of a channel that they have just looked at.
    const { api } = aliceByApi;
    const engines = (await api.bootstrap()).channels.find(({ name }) => name === 'engines')?.id ?? '';
    const { version } = await api.channelNotificationSettings(engines);
    await api.changeChannelNotificationSettings(engines, version, { muted: false });
    await tell('flywheels are many');
    await tell('THE FLYWHEEL, it turns');
    await expect.poll(() => bell(alice).getAttribute('aria-label'), WITHIN).toBe('Notifications, 1 unread');
    await page.getByRole('log', { name: 'New messages' }).getByText('Bob Baker used a keyword of yours in #engines').waitFor({ state: 'attached', ...WITHIN });
    const told = panel(alice).getByRole('listitem').filter({ hasText: 'THE FLYWHEEL, it turns' });
    await told.getByText('Bob Baker used a keyword of yours').waitFor(WITHIN);
    expect(await panel(alice).getByText('flywheels are many').count()).toBe(0);
    await told.getByRole('button').click();
    await itemOf(alice, 'THE FLYWHEEL, it turns').waitFor();
    await expect.poll(() => bell(alice).getAttribute('aria-label'), WITHIN).toBe('Notifications');
    expect([alice.errors, bob.errors]).toEqual([[], []]);
  });

  it('leads to no lost focus: a thread that closes gives it back to its message', async () => {
    const { page } = alice;
    const message = itemOf(alice, 'THE FLYWHEEL, it turns');
    await page.getByRole('button', { name: 'Close notifications' }).click();
    await message.hover();
    await page.getByRole('toolbar', { name: 'Message actions' }).getByRole('button', { name: 'Reply in thread' }).press('Enter');
    await page.getByRole('textbox', { name: 'Reply…' }).and(page.locator(':focus')).waitFor();
    await page.keyboard.press('Escape');
    await message.and(page.locator(':focus')).waitFor();
    expect(await itemOf(alice, 'THE FLYWHEEL').count()).toBe(1);
  });

  it('shows its list on a phone over the list of channels, which gives way; the focus goes there and back', async () => {
    const { page } = alice;
    const menu = page.getByRole('button', { name: 'Channels', exact: true });
    await page.setViewportSize({ width: 390, height: 780 });
    await menu.click();
    await bell(alice).click();
    await panel(alice).getByText('THE FLYWHEEL, it turns').click({ trial: true });
    await bell(alice).waitFor({ state: 'hidden' });
    await panel(alice).and(page.locator(':focus-within')).waitFor();
    await page.keyboard.press('Escape');
    await menu.and(page.locator(':focus')).waitFor();
    await page.setViewportSize({ width: 1280, height: 800 });
    expect([await panel(alice).count(), alice.errors, bob.errors]).toEqual([0, [], []]);
  });
});

describe.skipIf(skipped)(`conversations of a few people${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  const heading = ({ page }: Person, name: string) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
  const BOB = { query: 'bob', name: 'Bob Baker' };

  it('begin by picking people, all by keyboard; who is written to finds it listed with the other\'s name and presence, and what is unread', async () => {
    await startConversation(alice, [BOB]);
    await heading(alice, 'Bob Baker');
    await directLink(alice, /^Bob Baker ?, online/).waitFor(WITHIN);
    expect(await directLink(bob, 'Alice Adams').count()).toBe(0);
    await say(alice, 'between us', 'Message Bob Baker');
    await directLink(bob, /^Alice Adams ?, online 1 unread/).click(WITHIN);
    await itemOf(bob, 'between us').waitFor();
    await expect.poll(() => directLink(bob, 'Alice Adams').getByLabel(/unread/).count(), WITHIN).toBe(0);
    await say(bob, 'indeed', 'Message Alice Adams');
    await itemOf(alice, 'indeed').waitFor();
  });

  it('are closed until somebody writes, or one comes by their address', async () => {
    const address = bob.page.url();
    const hasClosed = () => expect.poll(() => directLink(bob, 'Alice Adams').count(), WITHIN).toBe(0);
    await bob.page.getByRole('button', { name: 'Close conversation' }).click();
    await hasClosed();
    await say(alice, 'still there?', 'Message Bob Baker');
    await directLink(bob, /^Alice Adams.* 1 unread/).click(WITHIN);
    await itemOf(bob, 'still there?').waitFor();
    await bob.page.getByRole('button', { name: 'Close conversation' }).click();
    await hasClosed();
    await bob.page.goto(address);
    await heading(bob, 'Alice Adams');
    await itemOf(bob, 'still there?').waitFor();
  });

  it('are of several, too; a name is text, whatever it says, and a long one does not widen the page', async () => {
    const { page } = alice;
    const carol = await people?.world.user('carol');
    const name = `<img src=x onerror=alert(1)>${'m'.repeat(40)} שלום`;
    const { version } = (await carol?.api.me()) ?? { version: 0 };
    await carol?.api.changeProfile(version, { display_name: name });
    await startConversation(alice, [BOB, { query: 'carol', name }]);
    await heading(alice, `Bob Baker, ${name}`);
    await say(alice, 'all three', `Message Bob Baker, ${name}`);
    await directLink(bob, /Alice Adams/).nth(1).waitFor(WITHIN);
    await page.setViewportSize({ width: 390, height: 780 });
    expect(await page.locator('.workspace img[src=x]').count()).toBe(0);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    expect([alice.errors, bob.errors]).toEqual([[], []]);
  });
});

describe.skipIf(skipped)(`drafts${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  const WHERE = 'Message #engines';
  const field = (page: Person['page']) => page.getByRole('textbox', { name: WHERE });

  it('are there on another device, lose nothing where both write, and are gone once sent', async () => {
    const { page } = bob;
    await channelLink(bob, 'engines').click();
    await field(page).pressSequentially('half a thought');
    const tab = await page.context().newPage();
    await expect.poll(() => page.evaluate("fetch('/v1/me/drafts').then((r) => r.json()).then(({ data }) => data.map(({ text }) => text))"), WITHIN).toEqual(['half a thought']);
    await tab.goto(page.url());
    await expect.poll(() => field(tab).inputValue(), WITHIN).toBe('half a thought');
    await field(tab).press('End');
    await field(tab).pressSequentially(', continued');
    await expect.poll(() => field(page).inputValue(), WITHIN).toBe('half a thought, continued');
    await Promise.all([field(page).press('End'), field(tab).press('End')]);
    await Promise.all([field(page).pressSequentially(' here'), field(tab).pressSequentially(' there')]);
    await expect.poll(async () => (await field(page).inputValue()) === (await field(tab).inputValue()), WITHIN).toBe(true);
    expect(await field(page).inputValue()).toMatch(/continued here/);
    expect(await field(page).inputValue()).toMatch(/continued there/);
    await field(page).press('Enter');
    await itemOf(bob, 'continued there').waitFor();
    await expect.poll(() => field(tab).inputValue(), WITHIN).toBe('');
    await page.reload();
    await itemOf(bob, 'continued there').waitFor();
    expect(await field(page).inputValue()).toBe('');
    await tab.close();
    expect(bob.errors).toEqual([]);
  });
});
