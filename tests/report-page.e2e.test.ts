import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, type Person } from './support/browser.ts';
import { act, createChannel, itemOf, joinChannel, say, signIn } from './support/page.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';

const skipped = noBrowser !== null && !process.env['CI'];
const WITHIN = { timeout: 20_000 };

let people: TwoPeople;
let alice: Person;
let bob: Person;

const REPORT = 'Report to moderators';
const dialog = ({ page }: Person) => page.getByRole('dialog', { name: 'Report this message?' });
const closed = (person: Person) => dialog(person).waitFor({ state: 'detached' });
const told = ({ page }: Person, text: string) => page.locator('.notices').getByText(text).waitFor(WITHIN);
const reports = async () => [...(await people.world.sql`SELECT r.reason, r.comment, r.snapshot FROM message_reports r ORDER BY r.id`)];

beforeAll(async () => {
  if (skipped) return;
  people = await openTwoPeople('report-page');
  ({ alice, bob } = people);
  const { baseUrl } = people.world;
  await Promise.all([signIn(alice, baseUrl, 'Alice Adams'), signIn(bob, baseUrl, 'Bob Baker')]);
  await createChannel(alice, 'plans');
  await joinChannel(bob, 'plans');
});
afterEach(({ task }) => people?.ended(task.result?.state));
afterAll(() => people?.close());

describe.skipIf(skipped)(`a message of somebody else${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  it('is reported with a reason and a comment; where that fails they stay, to be sent again', async () => {
    await say(alice, 'buy <b>now</b>');
    await act(bob, 'buy <b>now</b>', REPORT);
    await dialog(bob).getByText('buy <b>now</b>').waitFor();
    await dialog(bob).getByLabel('Reason').selectOption('It harasses somebody');
    await dialog(bob).getByLabel('Comment').fill('  the third time ');
    bob.network.cut();
    await dialog(bob).getByRole('button', { name: 'Report' }).click();
    await dialog(bob).getByRole('alert').waitFor(WITHIN);
    bob.network.restore();
    expect(await reports()).toEqual([]);
    await dialog(bob).getByRole('button', { name: 'Report' }).press('Enter');
    await closed(bob);
    await told(bob, 'The message was reported');
    expect(await reports()).toEqual([{ reason: 'harassment', comment: 'the third time', snapshot: 'buy <b>now</b>' }]);
  });

  it('is reported once: what was said first stands, and who reports is told so', async () => {
    await act(bob, 'buy <b>now</b>', REPORT);
    await dialog(bob).getByRole('button', { name: 'Report' }).click();
    await told(bob, 'that report stands');
    expect(await reports()).toHaveLength(1);
  });

  it('is reported on a phone, too, and not at all where one thinks better of it; one\'s own is no matter for that', async () => {
    await say(alice, `sell ${'m'.repeat(300)}`);
    await bob.page.setViewportSize({ width: 390, height: 780 });
    await act(bob, 'sell', REPORT);
    const { x, width } = (await dialog(bob).boundingBox()) ?? { x: -1, width: 0 };
    expect([x >= 0, x + width <= 390, await dialog(bob).evaluate((box) => box.scrollWidth - box.clientWidth)]).toEqual([true, true, 0]);
    await bob.page.keyboard.press('Escape');
    await closed(bob);
    expect(await reports()).toHaveLength(1);
    await itemOf(alice, 'sell').hover();
    await alice.page.getByRole('button', { name: 'Copy a link' }).waitFor();
    expect(await alice.page.getByRole('button', { name: REPORT }).count()).toBe(0);
    expect([alice.errors, bob.errors]).toEqual([[], []]);
  });
});
