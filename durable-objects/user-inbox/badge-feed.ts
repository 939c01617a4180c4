import type { Badge, InboxServerFrame } from '../../protocol/frames.ts';
import type { Fanout } from '../sockets/fanout.ts';
import type { RoomSocket } from '../sockets/socket-record.ts';
import { badgeOf } from './inbox-channels.ts';
import type { InboxState } from './inbox-state.ts';

/** Badges of one frame: about 80 KB. */
const FRAME_BADGES = 500;
/** Badges go out at most so often: ten times a second. */
const PAUSE_MS = 100;

export interface BadgeFeedPorts {
  schedule(ms: number, task: () => void): void;
  /** Something is owed, and if this instance is lost, another is to send it. */
  owed(): void;
}

/** The changes of badges: the first at once, further ones gathered; of a channel only the newest. Who begins, or has missed some, gets all. */
export class BadgeFeed<S extends RoomSocket> {
  readonly #state: InboxState;
  readonly #fanout: Fanout<S>;
  readonly #ports: BadgeFeedPorts;
  readonly #changed = new Set<string>();
  #pausing = false;

  constructor(state: InboxState, fanout: Fanout<S>, ports: BadgeFeedPorts) {
    this.#state = state;
    this.#fanout = fanout;
    this.#ports = ports;
  }

  /** Sends what an earlier instance has left owing. */
  resume(): void {
    if (!this.#state.owesBadges) return;
    this.#state.setOwesBadges(false);
    for (const frame of this.#all()) this.#fanout.tell(() => frame);
  }

  sendAll(socket: S): void {
    for (const frame of this.#all()) this.#fanout.tellSocket(socket, frame);
  }

  /** That it is owed is as durable as the change, if that was made in the same turn. */
  changed(channelId: string): void {
    this.#changed.add(channelId);
    if (!this.#pausing) return this.#flush();
    this.#state.setOwesBadges(true);
    this.#ports.owed();
  }

  #all(): string[] {
    return badgesFrames(this.#state.channels.badges(), true);
  }

  #flush(): void {
    if (this.#changed.size === 0) return;
    const badges = [...this.#changed].map((channelId) => badgeOf(this.#state.channels.get(channelId)));
    this.#changed.clear();
    this.#state.setOwesBadges(false);
    for (const frame of badgesFrames(badges, false)) this.#fanout.tell(() => frame);
    this.#pausing = true;
    this.#ports.schedule(PAUSE_MS, () => {
      this.#pausing = false;
      this.#flush();
    });
  }
}

/** One frame, or several of bounded size, of which the first says whether it begins anew. */
function badgesFrames(badges: readonly Badge[], full: boolean): string[] {
  const frames: InboxServerFrame[] = [{ type: 'badges', full, badges: badges.slice(0, FRAME_BADGES) }];
  for (let start = FRAME_BADGES; start < badges.length; start += FRAME_BADGES) {
    frames.push({ type: 'badges', full: false, badges: badges.slice(start, start + FRAME_BADGES) });
  }
  return frames.map((frame) => JSON.stringify(frame));
}
