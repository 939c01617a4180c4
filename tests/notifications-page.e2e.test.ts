import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, type Person } from './support/browser.ts';
import { channelLink, createChannel, itemOf, joinChannel, say, signIn } from './support/page.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';

const skipped = noBrowser !== null && !process.env['CI'];
const WITHIN = { timeout: 20_000 };

let people: TwoPeople | undefined;
let alice: Person;
let bob: Person;

const bell = ({ page }: Person) => page.getByRole('button', { name: /^Notifications/ });
const tell = (text: string): Promise<void> => say(bob, text, 'Message #engines');
const panel = ({ page }: Person) => page.getByRole('complementary', { name: 'Notifications' });

beforeAll(async () => {
  if (skipped) return;
  people = await openTwoPeople('notifications-page');
  ({ alice, bob } = people);
  const { baseUrl } = people.world;
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
    expect([alice.errors, bob.errors]).toEqual([[], []]);
  });
});
