import type { Conditions } from '../conditions.ts';

/** A network and a user that do as a test says. */
export class FakeConditions implements Conditions {
  isOnline = true;
  isVisible = true;
  readonly watchers = new Set<() => void>();

  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => void this.watchers.delete(changed);
  }

  set(changes: { isOnline?: boolean; isVisible?: boolean }): void {
    Object.assign(this, changes);
    for (const changed of this.watchers) changed();
  }
}
