import type { Badge, InboxServerFrame } from '../../protocol/frames.ts';

/** Badges go out at most so often: ten times a second. */
const PAUSE_MS = 100;

export interface BadgeFeedPorts {
  schedule(ms: number, task: () => void): void;
  /** The newest of a channel. */
  badge(channelId: string): Badge;
  send(frame: string): void;
  /** Keeps whether something is owed, as durably as the badge that has changed in the same turn. */
  owe(owes: boolean): void;
}

/** The changes of badges: the first at once, further ones gathered; of a channel only the newest. */
export class BadgeFeed {
  readonly #ports: BadgeFeedPorts;
  readonly #changed = new Set<string>();
  #pausing = false;

  constructor(ports: BadgeFeedPorts) {
    this.#ports = ports;
  }

  changed(channelId: string): void {
    this.#changed.add(channelId);
    if (this.#pausing) this.#ports.owe(true);
    else this.#flush();
  }

  #flush(): void {
    if (this.#changed.size === 0) return;
    const badges = [...this.#changed].map((channelId) => this.#ports.badge(channelId));
    this.#changed.clear();
    this.#ports.owe(false);
    this.#ports.send(badgesFrame(badges, false));
    this.#pausing = true;
    this.#ports.schedule(PAUSE_MS, () => {
      this.#pausing = false;
      this.#flush();
    });
  }
}

export const badgesFrame = (badges: readonly Badge[], full: boolean): string =>
  JSON.stringify({ type: 'badges', full, badges: [...badges] } satisfies InboxServerFrame);
