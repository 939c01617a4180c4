import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, type Person } from './support/browser.ts';
import { act, createChannel, itemOf, joinChannel, say, signIn } from './support/page.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';
import type { WorldUser } from './support/world.ts';

const skipped = noBrowser !== null && !process.env['CI'];
const WITHIN = { timeout: 20_000 };
/** Nine in the morning there is midnight in UTC. */
const ZONE = 'Asia/Tokyo';

let people: TwoPeople;
let alice: Person;
let bob: Person;
let bobByApi: WorldUser;

const composer = ({ page }: Person, where = 'Message #plans') => page.getByRole('textbox', { name: where });
const later = ({ page }: Person, of = 'main') => page.locator(of).getByRole('button', { name: 'Send later' });
const choice = ({ page }: Person) => page.getByRole('dialog', { name: 'Send later' });
const choose = (person: Person, name: RegExp) => choice(person).getByRole('button', { name }).click();
const chosen = (person: Person) => choice(person).waitFor({ state: 'detached' });
const panel = ({ page }: Person) => page.getByRole('complementary', { name: 'Scheduled messages' });
const item = (person: Person, text: string) => panel(person).getByRole('listitem').filter({ hasText: text });
const press = (person: Person, text: string, name: string) => item(person, text).getByRole('button', { name }).click();
const entry = ({ page }: Person) => page.getByRole('button', { name: /^Scheduled/ });
const showAll = (person: Person) => entry(person).click();
const stored = async () => (await bobByApi.api.scheduledMessages({ status: 'pending' })).data;

beforeAll(async () => {
  if (skipped) return;
  people = await openTwoPeople('scheduled-page');
  ({ alice, bob } = people);
  const { baseUrl } = people.world;
  const device = await bob.page.context().newCDPSession(bob.page);
  await device.send('Emulation.setTimezoneOverride', { timezoneId: ZONE });
  await Promise.all([signIn(alice, baseUrl, 'Alice Adams'), signIn(bob, baseUrl, 'Bob Baker')]);
  await createChannel(alice, 'plans');
  await joinChannel(bob, 'plans');
  bobByApi = await people.world.user('bob');
});
afterEach(({ task }) => people?.ended(task.result?.state));
afterAll(() => people?.close());

describe.skipIf(skipped)(`a message that is sent later${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  it('waits until a morning where its author is, and can be changed and sent at once', async () => {
    await composer(bob).fill('good <b>morning</b>');
    await later(bob).press('Enter');
    await choice(bob).locator(':focus').and(choice(bob).getByRole('button', { name: /^In 20 minutes/ })).waitFor(WITHIN);
    await choose(bob, /^Tomorrow morning/);
    await chosen(bob);
    expect([await composer(bob).inputValue(), await composer(bob).evaluate((field) => field === field.ownerDocument.activeElement)]).toEqual(['', true]);
    const [{ id, send_at } = { id: '', send_at: '' }] = await stored();
    expect(send_at).toMatch(/T00:00:00\.000Z$/);
    await entry(bob).getByText('1 waiting').waitFor(WITHIN);
    await showAll(bob);
    await press(bob, 'good <b>morning</b>', 'Change');
    await panel(bob).getByLabel('Text').fill('good evening');
    await panel(bob).getByLabel('At').fill(`${send_at.slice(0, 10)}T18:30`);
    await panel(bob).getByRole('button', { name: 'Save' }).click();
    await item(bob, 'good evening').getByText('#plans').waitFor(WITHIN);
    expect(await stored()).toMatchObject([{ id, text: 'good evening', send_at: `${send_at.slice(0, 10)}T09:30:00.000Z` }]);
    expect(await itemOf(alice, 'good').count()).toBe(0);
    await press(bob, 'good evening', 'Send now');
    await itemOf(alice, 'good evening').waitFor(WITHIN);
    await item(bob, 'good evening').waitFor({ state: 'detached', ...WITHIN });
    await panel(bob).getByText('Messages that you have sent later').waitFor();
  });

  it('is kept where that could not be said, and then scheduled once; at a time of one\'s own, too', async () => {
    await composer(bob).fill('once');
    await later(bob).click();
    const field = choice(bob).getByLabel('At');
    const day = (await field.inputValue()).slice(0, 10);
    await field.fill(`${Number(day.slice(0, 4)) + 2}-01-01T12:00`);
    await field.press('Enter');
    await field.and(bob.page.locator(':out-of-range')).waitFor();
    expect(await stored()).toEqual([]);
    const tomorrow = new Date(Date.parse(`${day}T12:00:00Z`) + 86_400_000).toISOString();
    await field.fill(tomorrow.slice(0, 16));
    // The server takes it, and the answer is lost.
    await bob.page.route('**/scheduled-messages', async (route) => {
      await route.fetch();
      await route.abort();
    }, { times: 1 });
    await field.press('Enter');
    await choice(bob).getByRole('alert').filter({ hasText: 'could not be reached' }).waitFor(WITHIN);
    expect(await composer(bob).inputValue()).toBe('once');
    await field.press('Enter');
    await chosen(bob);
    expect(await composer(bob).inputValue()).toBe('');
    expect(await stored()).toMatchObject([{ text: 'once', send_at: new Date(Date.parse(tomorrow) - 9 * 3_600_000).toISOString() }]);
    expect(await itemOf(bob, 'once').count()).toBe(0);
  });

  it('that was changed on another device is shown as it is now; cancelled, it is gone, and the focus is not', async () => {
    await item(bob, 'once').waitFor(WITHIN);
    await press(bob, 'once', 'Change');
    const [{ id, version } = { id: '', version: 0 }] = await stored();
    await bobByApi.api.changeScheduled(id, version, { text: 'twice' });
    await panel(bob).getByLabel('Text').fill('thrice');
    await panel(bob).getByRole('button', { name: 'Save' }).click();
    await panel(bob).getByRole('alert').filter({ hasText: 'changed elsewhere meanwhile' }).waitFor(WITHIN);
    expect(await panel(bob).getByLabel('Text').inputValue()).toBe('twice');
    await bob.page.keyboard.press('Escape');
    bob.network.cut();
    await press(bob, 'twice', 'Cancel sending');
    await item(bob, 'twice').getByRole('alert').filter({ hasText: 'could not be reached' }).waitFor(WITHIN);
    bob.network.restore();
    await press(bob, 'twice', 'Cancel sending');
    await item(bob, 'twice').waitFor({ state: 'detached', ...WITHIN });
    expect([await stored(), await panel(bob).evaluate((box) => box.contains(box.ownerDocument.activeElement))]).toEqual([[], true]);
  });

  it('may be a reply; what could not be sent is told, with why, until it is removed', async () => {
    await say(alice, 'who comes?');
    await act(bob, 'who comes?', 'Reply in thread');
    await later(bob, 'aside').click();
    await choice(bob).getByText('Write a message first').waitFor();
    await bob.page.keyboard.press('Escape');
    await chosen(bob);
    await composer(bob, 'Reply…').fill('I do');
    await later(bob, 'aside').click();
    await choose(bob, /^In 20 minutes/);
    await chosen(bob);
    const [{ id, channel_id, thread_id } = { id: '', channel_id: '', thread_id: null }] = await stored();
    expect(thread_id).not.toBeNull();
    await showAll(bob);
    await item(bob, 'I do').getByText('in a thread of #plans').waitFor(WITHIN);
    await bobByApi.api.leave(channel_id);
    await bobByApi.api.sendScheduledNow(id);
    await bob.page.locator('.notices').getByText('you were no member of the channel any more').waitFor(WITHIN);
    await item(bob, 'I do').getByText('Not sent: you were no member').waitFor(WITHIN);
    await entry(bob).getByLabel('1 not sent').waitFor();
    await bob.page.reload();
    await entry(bob).getByLabel('1 not sent').waitFor(WITHIN);
    await showAll(bob);
    await press(bob, 'I do', 'Remove');
    await panel(bob).getByText('Messages that you have sent later').waitFor(WITHIN);
    expect(await entry(bob).getByLabel('not sent').count()).toBe(0);
  });

  it('is chosen and listed on a phone without going over its side', async () => {
    const { page } = alice;
    await page.setViewportSize({ width: 390, height: 780 });
    await composer(alice).fill('m'.repeat(300));
    await later(alice).click();
    const { x, y, width, height } = (await choice(alice).boundingBox()) ?? { x: -1, y: -1, width: 0, height: 0 };
    expect([x >= 0, y >= 0, x + width <= 390, y + height <= 780]).toEqual([true, true, true, true]);
    await choose(alice, /^In 20 minutes/);
    await chosen(alice);
    await page.getByRole('button', { name: 'Channels', exact: true }).click();
    await showAll(alice);
    await item(alice, 'mmm').waitFor(WITHIN);
    expect([await page.evaluate('document.documentElement.scrollWidth'), await panel(alice).evaluate((box) => box.scrollWidth)]).toEqual([390, 390]);
    expect([alice.errors, bob.errors]).toEqual([[], []]);
  });
});
