import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, type Person } from './support/browser.ts';
import { channelLink, createChannel, joinChannel, say, signIn } from './support/page.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';

const skipped = noBrowser !== null && !process.env['CI'];
const WITHIN = { timeout: 20_000 };
const NAME = 'Bob <b>B.</b> Baker';

let people: TwoPeople;
let alice: Person;
let bob: Person;

const dialog = ({ page }: Person) => page.getByRole('dialog', { name: 'Settings' });
const open = ({ page }: Person) => page.getByRole('button', { name: 'Settings' }).press('Enter');
const closed = (person: Person) => dialog(person).waitFor({ state: 'detached' });
const field = (person: Person, label: string) => dialog(person).getByLabel(label, { exact: true });
const keywords = (person: Person) => dialog(person).getByLabel('Keywords');
const problem = (person: Person, text: string) => dialog(person).getByRole('alert').filter({ hasText: text }).waitFor(WITHIN);
const save = (person: Person) => dialog(person).getByRole('button', { name: 'Save' }).click();

beforeAll(async () => {
  if (skipped) return;
  people = await openTwoPeople('settings-page');
  ({ alice, bob } = people);
  const { baseUrl } = people.world;
  await Promise.all([signIn(alice, baseUrl, 'Alice Adams'), signIn(bob, baseUrl, 'Bob Baker')]);
  await createChannel(alice, 'engines');
  await joinChannel(bob, 'engines');
  await createChannel(bob, 'alone');
});
afterEach(({ task }) => people?.ended(task.result?.state));
afterAll(() => people?.close());

describe.skipIf(skipped)(`settings${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  it('say who one is and of what one is notified: at once, in quiet hours too, and after a reload', async () => {
    await open(bob);
    await dialog(bob).locator(':focus').and(field(bob, 'Displayed name')).waitFor(WITHIN);
    await bob.page.keyboard.press('ControlOrMeta+A');
    await bob.page.keyboard.type(NAME);
    await keywords(bob).fill('flywheel\n\n governor ');
    await dialog(bob).getByLabel('Quiet hours').press('Space');
    await field(bob, 'From').fill('00:00');
    await field(bob, 'To').fill('00:00');
    await field(bob, 'To').press('Enter');
    await closed(bob);
    await bob.page.getByRole('button', { name: NAME }).waitFor(WITHIN);
    await channelLink(alice, 'engines').click();
    await say(alice, 'the Flywheel turns', 'Message #engines');
    await bob.page.getByRole('button', { name: /^Notifications/ }).click();
    await bob.page.getByRole('complementary', { name: 'Notifications' }).getByText('used a keyword of yours').waitFor(WITHIN);
    await bob.page.reload();
    await open(bob);
    await expect.poll(() => keywords(bob).inputValue(), WITHIN).toBe('flywheel\ngovernor');
    expect(await field(bob, 'Displayed name').inputValue()).toBe(NAME);
    expect([await field(bob, 'From').inputValue(), await field(bob, 'To').inputValue()]).toEqual(['00:00', '00:00']);
  });

  it('are refused in words, and not lost; Escape lets them be', async () => {
    await keywords(bob).fill('valve\none two three four five six seven eight nine');
    await save(bob);
    await problem(bob, 'Keyword 2 must have 1 to 8 words');
    bob.network.cut();
    await keywords(bob).fill('valve');
    await save(bob);
    await problem(bob, 'could not be reached');
    expect(await keywords(bob).inputValue()).toBe('valve');
    bob.network.restore();
    await bob.page.keyboard.press('Escape');
    await closed(bob);
    await open(bob);
    await expect.poll(() => keywords(bob).inputValue(), WITHIN).toBe('flywheel\ngovernor');
  });

  it('say on which days it is quiet, when one is mailed, by whose clock, and how Colink looks: at once, and after a reload', async () => {
    const { page } = bob;
    const { api } = await people.world.user('bob');
    const day = (name: string) => dialog(bob).getByRole('group', { name: 'Days on which quiet hours begin' }).getByLabel(name);
    const choice = (name: string) => dialog(bob).getByRole('combobox', { name, exact: true });
    for (const name of ['Sat', 'Sun']) await day(name).uncheck();
    await choice('Time zone of quiet hours').selectOption('America/New_York');
    await choice('Time zone').selectOption('Asia/Tokyo');
    await choice('E-mail bob@colink.test').selectOption('When something stays unread for some minutes');
    await field(bob, 'Minutes').fill('4');
    await field(bob, 'Minutes').press('Enter');
    await field(bob, 'Minutes').and(page.locator(':out-of-range')).waitFor();
    expect((await api.emailSettings()).mode).toBe('off');
    await field(bob, 'Minutes').fill('45');
    await choice('E-mail bob@colink.test').selectOption('Once a day');
    await choice('At (Asia/Tokyo)').selectOption('17:00');
    await choice('Colours').selectOption('Dark');
    await choice('Times of the day').selectOption('24 hours');
    await save(bob);
    await closed(bob);
    const ground = () => page.evaluate('getComputedStyle(document.querySelector(".sidebar")).backgroundColor');
    await expect.poll(ground, WITHIN).toBe('rgb(23, 24, 29)');
    expect(await api.notificationSettings()).toMatchObject({ quiet_hours: { weekdays: [1, 2, 3, 4, 5], time_zone: 'America/New_York' } });
    expect(await api.emailSettings()).toMatchObject({ mode: 'daily', after_minutes: 45, daily_hour: 17 });
    expect([await api.me(), await api.settings()]).toMatchObject([{ time_zone: 'Asia/Tokyo' }, { theme: 'dark', time_format: '24h' }]);
    // Before it is read, too.
    await page.route('**/v1/bootstrap', (route) => route.abort());
    await page.reload();
    expect(await page.evaluate('getComputedStyle(document.documentElement).colorScheme')).toBe('dark');
    await page.unroute('**/v1/bootstrap');
    await page.reload();
    await channelLink(bob, 'engines').click();
    await expect.poll(() => page.locator('article.message time').first().textContent(), WITHIN).toMatch(/^\d\d:\d\d$/);
    await open(bob);
    await expect.poll(() => day('Sun').isChecked(), WITHIN).toBe(false);
    expect([await day('Fri').isChecked(), await choice('At (Asia/Tokyo)').inputValue(), await choice('Colours').inputValue()]).toEqual([true, '17', 'dark']);
  });

  it('that were changed elsewhere meanwhile are not overwritten, but told and shown', async () => {
    const { api } = await people.world.user('bob');
    const { version } = await api.notificationSettings();
    await api.changeNotificationSettings(version, { keywords: ['boiler'] });
    await field(bob, 'Title').fill('Engineer');
    await keywords(bob).fill('valve');
    await save(bob);
    await problem(bob, 'changed elsewhere meanwhile');
    expect([await keywords(bob).inputValue(), await field(bob, 'Title').inputValue()]).toEqual(['boiler', 'Engineer']);
    expect(await api.notificationSettings()).toMatchObject({ keywords: ['boiler'] });
    await keywords(bob).fill('boiler\nvalve');
    await save(bob);
    await closed(bob);
    expect([await api.notificationSettings(), await api.me()]).toMatchObject([{ keywords: ['boiler', 'valve'] }, { title: 'Engineer', display_name: NAME }]);
  });

  it('list where one is signed in: a session that is ended there is out at once, and a token once that is confirmed', async () => {
    const device = await bob.page.context().browser()?.newContext();
    if (!device) throw new Error('there is no browser');
    const elsewhere = await device.newPage();
    await signIn({ ...bob, page: elsewhere }, people.world.baseUrl, 'Bob Baker');
    const { api } = await people.world.user('bob');
    await open({ ...bob, page: elsewhere });
    await dialog({ ...bob, page: elsewhere }).getByText('this one').waitFor(WITHIN);
    await open(bob);
    await dialog(bob).getByText('this one').waitFor(WITHIN);
    const buttons = (act: string) => dialog(bob).getByRole('button', { name: new RegExp(`^${act}: `) });
    await buttons('Sign out').click();
    await elsewhere.getByText('You have been signed out').waitFor(WITHIN);
    await expect.poll(() => buttons('Sign out').count(), WITHIN).toBe(0);
    expect(await dialog(bob).locator(':focus').count()).toBe(1);
    // Somebody else signs in there, in another tab; an hour later the one that was left is looked at.
    const tab = await device.newPage();
    await signIn({ ...alice, page: tab }, people.world.baseUrl, 'Alice Adams');
    await tab.close();
    await elsewhere.evaluate('{ const now = Date.now; Date.now = () => now() + 3_600_000; dispatchEvent(new Event("focus")); }');
    await elsewhere.getByRole('button', { name: /^Alice Adams/ }).waitFor(WITHIN);
    expect(await elsewhere.getByRole('dialog').count()).toBe(0);
    await device.close();
    const tokens = await buttons('Revoke').count();
    const ask = bob.page.getByRole('dialog', { name: 'Revoke this token?' });
    await buttons('Revoke').first().click();
    await ask.getByRole('button', { name: 'Cancel' }).click();
    expect([await buttons('Revoke').count(), await api.me().then(({ display_name }) => display_name)]).toEqual([tokens, NAME]);
    await buttons('Revoke').first().click();
    await ask.getByRole('button', { name: 'Revoke' }).click();
    await expect.poll(() => buttons('Revoke').count(), WITHIN).toBe(tokens - 1);
    await expect(api.me()).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('stand on a phone without going over its side', async () => {
    await bob.page.setViewportSize({ width: 390, height: 780 });
    await dialog(bob).getByText('this one').waitFor(WITHIN);
    expect(await dialog(bob).evaluate((box) => box.scrollWidth - box.clientWidth)).toBe(0);
    const { x, width } = (await dialog(bob).boundingBox()) ?? { x: -1, width: 0 };
    expect([x >= 0, x + width <= 390]).toEqual([true, true]);
    expect([alice.errors, bob.errors]).toEqual([[], []]);
  });
});
