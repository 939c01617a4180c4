import { afterEach, describe, expect, it, vi } from 'vitest';
import { browserActivity, browserConditions, pageOwner } from './browser.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';

afterEach(() => vi.unstubAllGlobals());

/** As much of a browser as is asked for its conditions. */
function fakeBrowser() {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  const navigator = { onLine: true };
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window));
  vi.stubGlobal('removeEventListener', window.removeEventListener.bind(window));
  vi.stubGlobal('document', document);
  vi.stubGlobal('navigator', navigator);
  return { window, document, navigator };
}

describe('a browser', () => {
  it('tells of its network and of its visibility, until nobody listens', () => {
    const { window, document, navigator } = fakeBrowser();
    const seen: [boolean, boolean][] = [];
    const stop = browserConditions.watch(() => seen.push([browserConditions.isOnline, browserConditions.isVisible]));
    navigator.onLine = false;
    window.dispatchEvent(new Event('offline'));
    document.visibilityState = 'hidden';
    document.dispatchEvent(new Event('visibilitychange'));
    stop();
    window.dispatchEvent(new Event('online'));
    expect(seen).toEqual([[false, true], [false, false]]);
  });

  it('tells when its page is hidden, or gone from, until nobody listens', () => {
    const { window, document } = fakeBrowser();
    let leavings = 0;
    const stop = browserConditions.watchLeaving?.(() => (leavings += 1));
    document.dispatchEvent(new Event('visibilitychange'));
    expect(leavings).toBe(0);
    document.visibilityState = 'hidden';
    document.dispatchEvent(new Event('visibilitychange'));
    window.dispatchEvent(new Event('pagehide'));
    stop?.();
    window.dispatchEvent(new Event('pagehide'));
    expect(leavings).toBe(2);
  });

  it('has a user until five minutes after the last input, and again with the next', async () => {
    const { window, document } = fakeBrowser();
    const clock = new FakeClock();
    const activity = browserActivity(clock);
    const changes: boolean[] = [];
    const stop = activity.watch(() => {
      if (changes.at(-1) !== activity.isActive) changes.push(activity.isActive);
    });
    await clock.advance(240_000);
    window.dispatchEvent(new Event('keydown'));
    await clock.advance(299_999);
    expect(changes).toEqual([true]);
    await clock.advance(1);
    window.dispatchEvent(new Event('pointermove'));
    document.visibilityState = 'hidden';
    document.dispatchEvent(new Event('visibilitychange'));
    expect(changes).toEqual([true, false, true, false]);
    stop();
    expect(clock.pending).toBe(0);
  });
});

/** Node has the very locks of browsers; here one of its own holds for another page. */
async function otherPage(id: string): Promise<() => Promise<void>> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const held = navigator.locks.request(`colink.page.${id}`, () => promise);
  await settle();
  return async () => {
    resolve();
    await held;
  };
}

describe('a page among those of its user', () => {
  it('G2: inherits from one that is gone, not from one that lives', async () => {
    const close = await otherPage('other');
    const owner = pageOwner('mine');
    const taken: string[] = [];
    await owner.inherit('other', async () => void taken.push('from the living'));
    expect(taken).toEqual([]);
    await close();
    await owner.inherit('other', async () => void taken.push('from the dead'));
    expect(taken).toEqual(['from the dead']);
  });

  it('G2: is the only one to inherit at a time', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const taken: string[] = [];
    const first = pageOwner('first').inherit('gone', () => promise);
    await settle();
    await pageOwner('second').inherit('gone', async () => void taken.push('second'));
    resolve();
    await first;
    expect(taken).toEqual([]);
  });

  it('is itself a living one to the others', async () => {
    pageOwner('third');
    await settle();
    const taken: string[] = [];
    await pageOwner('fourth').inherit('third', async () => void taken.push('fourth'));
    expect(taken).toEqual([]);
  });
});
