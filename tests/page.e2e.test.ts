import { join } from 'node:path';
import type { Browser, Locator } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, noBrowser, openPerson, type Person } from './support/browser.ts';
import { createChannel, itemOf, joinChannel, say, signIn } from './support/page.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const skipped = noBrowser !== null && !process.env['CI'];
const WITHIN = { timeout: 20_000 };

let world: World;
let browser: Browser;
let alice: Person;
let bob: Person;
let carol: WorldUser;
let channelId: string;

const members = ({ page }: Person): Locator => page.getByRole('complementary', { name: 'Members' });
const names = (person: Person, group: string): Promise<string[]> => members(person).getByRole('region', { name: group }).locator('.member-name .ellipsis').allTextContents();

beforeAll(async () => {
  if (skipped) return;
  world = await startWorld('page');
  browser = await launchBrowser();
  [alice, bob] = await Promise.all([openPerson(browser, 'alice'), openPerson(browser, 'bob')]);
  carol = await world.user('carol');
  await Promise.all([signIn(alice, world.baseUrl, 'Alice Adams'), signIn(bob, world.baseUrl, 'Bob Baker')]);
  await createChannel(alice, 'plans');
  channelId = new URL(alice.page.url()).pathname.split('/').at(-1) ?? '';
});
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  const directory = join(world.dataDir, 'screenshots');
  await Promise.all([alice?.shoot(directory), bob?.shoot(directory)]);
  console.error(`screenshots in ${directory}`);
  world.keep();
});
afterAll(async () => {
  await Promise.all([alice?.close(), bob?.close()]);
  await browser?.close();
  await world?.close();
});

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

  it('code is set apart, and no text becomes anything but text', async () => {
    const hostile = '<img src=x onerror="document.title=1"> `<b>inline</b>`\n```\n<script>document.title = 2</script>\n```\n[x](javascript:alert(1))';
    await say(alice, hostile);
    const seen = itemOf(bob, 'inline');
    await seen.waitFor();
    expect(await seen.locator('code').allTextContents()).toEqual(['<b>inline</b>', '<script>document.title = 2</script>']);
    expect(await seen.locator('.text img, .text script, .text b, .text a').count()).toBe(0);
    expect(await bob.page.title()).toContain('#plans');
  });

  it('no page threw anything', () => expect([...alice.errors, ...bob.errors]).toEqual([]));
});
