import type { Locator } from 'playwright-core';
import type { Person } from './browser.ts';

/** What people do at the page, and what they see of it: found as assistive technology finds it, wherever that says enough. */

export const feed = ({ page }: Person, name = 'Messages'): Locator => page.getByRole('feed', { name });
export const itemOf = (person: Person, text: string): Locator => feed(person).locator('article.message').filter({ hasText: text });
export const channelLink = ({ page }: Person, name: string): Locator => page.getByRole('navigation', { name: 'Channels' }).getByRole('link', { name });

export async function signIn({ page }: Person, baseUrl: string, account: string): Promise<void> {
  await page.goto(baseUrl);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: account }).click();
  await page.locator('.workspace').waitFor();
}

export async function createChannel({ page }: Person, name: string): Promise<void> {
  await page.getByRole('button', { name: 'Create a channel' }).first().click();
  await page.getByRole('dialog').getByLabel('Name').fill(name);
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { level: 1, name }).waitFor();
}

export async function joinChannel({ page }: Person, name: string): Promise<void> {
  await page.getByRole('button', { name: 'Browse channels' }).first().click();
  await page.getByRole('dialog').getByRole('listitem').filter({ hasText: name }).getByRole('button', { name: 'Join' }).click();
  await page.getByRole('heading', { level: 1, name }).waitFor();
}

export async function say({ page }: Person, text: string, where = 'Message #plans'): Promise<void> {
  const composer = page.getByRole('textbox', { name: where });
  await composer.fill(text);
  await composer.press('Enter');
}

/** Shows what can be done with a message, and does it. */
export async function act(person: Person, text: string, action: string): Promise<void> {
  await itemOf(person, text).hover();
  await person.page.getByRole('toolbar', { name: 'Message actions' }).getByRole('button', { name: action }).click();
}

export const directLink = ({ page }: Person, name: string | RegExp): Locator => page.getByRole('navigation', { name: 'Direct messages' }).getByRole('link', { name });

/** Picks people by what they are found by, and begins a conversation with them; all by keyboard. */
export async function startConversation({ page }: Person, whom: readonly { readonly query: string; readonly name: string }[]): Promise<void> {
  await page.getByRole('button', { name: 'Start a conversation' }).press('Enter');
  for (const { query, name } of whom) {
    await page.keyboard.type(query);
    await page.getByRole('listbox', { name: 'People found' }).and(page.locator(':has(> :only-child)')).getByRole('option', { name, selected: true }).waitFor();
    await page.keyboard.press('Enter');
  }
  await page.getByRole('combobox', { name: 'People' }).press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}
