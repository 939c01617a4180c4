import { siteOf } from './links.ts';

/**
 * How much of a site this process asks for at a time, wherever a redirect came from. Of pages that are linked to a lease sees to it that there is one; but many sites may send on to
 * one.
 */
export class SiteGate {
  readonly #most: number;
  readonly #open = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** What to call when it is over; null: the site is asked enough. */
  enter(url: URL): (() => void) | null {
    const site = siteOf(url);
    const open = this.#open.get(site) ?? 0;
    if (open >= this.#most) return null;
    this.#open.set(site, open + 1);
    return () => {
      const left = (this.#open.get(site) ?? 1) - 1;
      if (left > 0) this.#open.set(site, left);
      else this.#open.delete(site);
    };
  }
}
