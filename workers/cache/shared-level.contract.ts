import { uuidv7 } from 'uuidv7';
import { beforeEach, expect, it } from 'vitest';
import type { Profile } from '../../protocol/api.ts';
import type { SharedLevel } from './profile-cache.ts';

/** What every shared level does. */
export function sharedLevelContract(open: () => Promise<SharedLevel>): void {
  let level: SharedLevel;
  let ada: Profile;
  beforeEach(async () => {
    level = await open();
    ada = { id: uuidv7(), handle: 'ada', display_name: 'Ada 東京', role: 'member', avatar: null, title: '', pronouns: '', time_zone: null, is_bot: false, deactivated: false, version: 1 };
  });

  it('keeps a profile until it is forgotten', async () => {
    expect(await level.get(ada.id)).toBeNull();
    await level.offer(ada);
    expect(await level.get(ada.id)).toEqual(ada);
    await level.forget(ada.id);
    expect(await level.get(ada.id)).toBeNull();
  });

  it('keeps the first of two, for the second may be older', async () => {
    await level.offer(ada);
    await level.offer({ ...ada, display_name: 'Ada before' });
    expect(await level.get(ada.id)).toEqual(ada);
  });

  it('takes nothing back that was just forgotten, be it kept or not', async () => {
    await level.forget(ada.id);
    await level.offer(ada);
    expect(await level.get(ada.id)).toBeNull();
  });
}
