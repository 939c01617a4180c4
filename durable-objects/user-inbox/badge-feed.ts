import type { Badge, InboxServerFrame } from '../../protocol/frames.ts';

/** Badges of one frame: about 80 KB. */
const FRAME_BADGES = 500;
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
    for (const frame of badgesFrames(badges, false)) this.#ports.send(frame);
    this.#pausing = true;
    this.#ports.schedule(PAUSE_MS, () => {
      this.#pausing = false;
      this.#flush();
    });
  }
}

/** One frame, or several of bounded size, of which the first says whether it begins anew. */
export function badgesFrames(badges: readonly Badge[], full: boolean): string[] {
  const frames: InboxServerFrame[] = [{ type: 'badges', full, badges: badges.slice(0, FRAME_BADGES) }];
  for (let start = FRAME_BADGES; start < badges.length; start += FRAME_BADGES) {
    frames.push({ type: 'badges', full: false, badges: badges.slice(start, start + FRAME_BADGES) });
  }
  return frames.map((frame) => JSON.stringify(frame));
}
