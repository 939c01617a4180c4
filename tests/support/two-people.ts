import { join } from 'node:path';
import { launchBrowser, openPerson, type Person } from './browser.ts';
import { startWorld, type World, type WorldOptions } from './world.ts';

/** A stack, and two people at its page. */
export interface TwoPeople {
  readonly world: World;
  readonly alice: Person;
  readonly bob: Person;
  /** After a test that ended so: of one that failed, what both saw is kept. */
  ended(state: string | undefined): Promise<void>;
  close(): Promise<void>;
}

export async function openTwoPeople(name: string, options: WorldOptions = {}): Promise<TwoPeople> {
  const browser = await launchBrowser();
  const world = await startWorld(name, 'embedded', options).catch(async (error: unknown) => {
    await browser.close();
    throw error;
  });
  const [alice, bob] = await Promise.all([openPerson(browser, 'alice'), openPerson(browser, 'bob')]);
  return {
    world,
    alice,
    bob,
    async ended(state) {
      if (state !== 'fail') return;
      const directory = join(world.dataDir, 'screenshots');
      await Promise.all([alice.shoot(directory), bob.shoot(directory)]);
      console.error(`screenshots in ${directory}`);
      world.keep();
    },
    async close() {
      await Promise.all([alice.close(), bob.close()]);
      await browser.close();
      await world.close();
    },
  };
}
