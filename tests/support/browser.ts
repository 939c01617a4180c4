import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { detect, isPresent } from '../../dev/components.ts';
import { type Network, startNetwork } from './proxy.ts';

const found = detect().chromium;

/** Why no browser can be driven here, or null. CI must have one. */
export const noBrowser: string | null = isPresent(found) ? null : found.missing;

export async function launchBrowser(): Promise<Browser> {
  if (!isPresent(found)) throw new Error(found.missing);
  return chromium.launch({
    executablePath: found.path,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Someone at a browser of their own, on a network of their own. */
export interface Person {
  readonly name: string;
  readonly page: Page;
  readonly network: Network;
  /** What the page threw or logged as an error. */
  readonly errors: string[];
  /** Writes a screenshot, for a failure. */
  shoot(directory: string): Promise<void>;
  close(): Promise<void>;
}

export async function openPerson(browser: Browser, name: string): Promise<Person> {
  const network = await startNetwork();
  const context: BrowserContext = await browser.newContext({ proxy: { server: network.url }, viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  return {
    name,
    page,
    network,
    errors,
    shoot: async (directory) => {
      mkdirSync(directory, { recursive: true });
      await page.screenshot({ path: join(directory, `${name}.png`), timeout: 5_000 }).catch(() => {});
    },
    close: async () => {
      await context.close();
      await network.close();
    },
  };
}
