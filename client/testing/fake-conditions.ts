import type { Conditions } from '../conditions.ts';

/** A network and a user that do as a test says. */
export class FakeConditions implements Conditions {
  isOnline = true;
  isVisible = true;
  readonly watchers = new Set<() => void>();
  readonly leaving = new Set<() => void>();

  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => void this.watchers.delete(changed);
  }

  watchLeaving(leaving: () => void): () => void {
    this.leaving.add(leaving);
    return () => void this.leaving.delete(leaving);
  }

  leave(): void {
    for (const leaving of this.leaving) leaving();
  }

  set(changes: { isOnline?: boolean; isVisible?: boolean }): void {
    Object.assign(this, changes);
    for (const changed of this.watchers) changed();
  }
}
