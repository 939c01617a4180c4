import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bootstrapSchema } from '../protocol/api.ts';
import { noBrowser, type Person } from './support/browser.ts';
import { createChannel, itemOf, joinChannel, say, signIn } from './support/page.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';
import type { World } from './support/world.ts';

const skipped = noBrowser !== null && !process.env['CI'];

let people: TwoPeople | undefined;
let world: World;
let alice: Person;
let bob: Person;

beforeAll(async () => {
  if (skipped) return;
  people = await openTwoPeople('leaving');
  ({ world, alice, bob } = people);
  await Promise.all([signIn(alice, world.baseUrl, 'Alice Adams'), signIn(bob, world.baseUrl, 'Bob Baker')]);
});
afterEach(({ task }) => people?.ended(task.result?.state));
afterAll(() => people?.close());

/** How far Bob has read, by his session in the browser, whatever page is open. */
async function readPos(): Promise<number | undefined> {
  const response = await bob.page.context().request.get(`${world.baseUrl}/v1/bootstrap`);
  return bootstrapSchema.parse(await response.json()).channels.find(({ name }) => name === 'plans')?.read_pos;
}

describe.skipIf(skipped)(`a page that goes${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  it('has told what was read in its last moment; and one that comes reads the bootstrap once', async () => {
    await createChannel(alice, 'plans');
    await joinChannel(bob, 'plans');
    const plans = bob.page.url();
    await say(alice, 'read this');
    await itemOf(bob, 'read this').waitFor();
    // It has been before his eyes, and the server would be told in a second.
    await bob.page.waitForTimeout(300);
    await bob.page.goto('about:blank');
    await expect.poll(readPos, { timeout: 10_000 }).toBe(1);
    let bootstraps = 0;
    bob.page.on('request', (request) => (bootstraps += request.url().endsWith('/v1/bootstrap') ? 1 : 0));
    await bob.page.goto(plans);
    await itemOf(bob, 'read this').waitFor();
    await bob.page.waitForTimeout(2_000);
    expect(bootstraps).toBe(1);
  });
});
