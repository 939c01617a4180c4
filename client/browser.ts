import type { Activity, Conditions } from './conditions.ts';
import { type Clock, type Owner, soleOwner, systemClock } from './ports.ts';

/** Someone who has touched nothing for this long is away from the device. */
const IDLE_AFTER_MS = 5 * 60_000;
const INPUTS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'];

/** The network and the visibility of the page. */
export const browserConditions: Conditions = {
  get isOnline() {
    return navigator.onLine;
  },
  get isVisible() {
    return document.visibilityState === 'visible';
  },
  watch(changed) {
    const unlisten = [listen(globalThis, ['online', 'offline', 'pageshow'], changed), listen(document, ['visibilitychange'], changed)];
    return () => unlisten.forEach((stop) => stop());
  },
  // Of the two a browser may send only one: Safari hides no page that is navigated from, and a phone that kills a page in the background sends no `pagehide`.
  watchLeaving(leaving) {
    const hidden = () => document.visibilityState === 'hidden' && leaving();
    const unlisten = [listen(globalThis, ['pagehide'], leaving), listen(document, ['visibilitychange'], hidden)];
    return () => unlisten.forEach((stop) => stop());
  },
};

/** Whether the user is at the page: it is visible, and had input within the last five minutes. */
export function browserActivity(clock: Clock = systemClock): Activity {
  let lastInput = clock.now();
  const isActive = () => document.visibilityState === 'visible' && clock.now() - lastInput < IDLE_AFTER_MS;
  return {
    get isActive() {
      return isActive();
    },
    watch(changed) {
      let cancel = () => {};
      const look = () => {
        cancel();
        if (isActive()) cancel = clock.after(lastInput + IDLE_AFTER_MS - clock.now(), look);
        changed();
      };
      const touched = () => {
        const wasActive = isActive();
        lastInput = clock.now();
        if (!wasActive) look();
      };
      const unlisten = [listen(globalThis, INPUTS, touched), listen(document, ['visibilitychange'], look)];
      look();
      return () => {
        cancel();
        unlisten.forEach((stop) => stop());
      };
    },
  };
}

/**
 * This page among all of its user: by a lock that the browser holds for it as long as it lives. Browsers give locks to secure contexts only;
 * elsewhere each page takes itself for the only one, and what two of them send is one message by its id.
 */
export function pageOwner(id: string, locks: LockManager | undefined = navigator.locks): Owner {
  if (!locks) return soleOwner;
  const nameOf = (owner: string) => `colink.page.${owner}`;
  void locks.request(nameOf(id), () => new Promise(() => {}));
  return { id, inherit: (ownerId, take) => locks.request(nameOf(ownerId), { ifAvailable: true }, async (lock) => void (lock && (await take()))) };
}

function listen(target: EventTarget, types: readonly string[], listener: () => void): () => void {
  for (const type of types) target.addEventListener(type, listener, { passive: true });
  return () => types.forEach((type) => target.removeEventListener(type, listener));
}
