import type { Problem } from '../../protocol/errors.ts';
import type { FoundInboxChannel } from '../../db/queries/inbox-log.ts';
import { learnMembership } from './badge-merge.ts';
import type { InboxChannels } from './inbox-channels.ts';

/** How long a channel that is none for the user is not looked up again; how many such are remembered; how many lookups run at a time. */
const MISSING_MS = 5_000;
const MISSING_CHANNELS = 1_000;
const LOOKUPS = 8;

const away: Problem = { code: 'unavailable', retry_after: 1 };
const unknown: Problem = { code: 'not_found' };

/**
 * Looks a channel up in Postgres that the inbox would refuse, as the room does with users: the call that told of it may have been lost. One
 * lookup a channel at a time, and none for a few seconds after one that found nothing the user may know of. That they may know of one is not remembered: it may be made
 * private in the next moment, and nobody tells inboxes of others.
 */
export class ChannelLookup {
  readonly #channels: InboxChannels;
  readonly #find: (channelId: string) => Promise<FoundInboxChannel | null>;
  readonly #clock: () => number;
  readonly #missingUntil = new Map<string, number>();
  readonly #running = new Map<string, Promise<Problem | null>>();

  constructor(channels: InboxChannels, find: (channelId: string) => Promise<FoundInboxChannel | null>, clock: () => number) {
    this.#channels = channels;
    this.#find = find;
    this.#clock = clock;
  }

  /** Why the user may not act in the channel; null: they are a member (G5). */
  async refusal(channelId: string): Promise<Problem | null> {
    if (this.#channels.get(channelId).role !== null) return null;
    if ((this.#missingUntil.get(channelId) ?? 0) > this.#clock()) return unknown;
    const running = this.#running.get(channelId);
    if (running !== undefined) return await running;
    if (this.#running.size >= LOOKUPS) return away;
    const lookup = this.#lookUp(channelId).finally(() => this.#running.delete(channelId));
    this.#running.set(channelId, lookup);
    return await lookup;
  }

  async #lookUp(channelId: string): Promise<Problem | null> {
    try {
      const found = await this.#find(channelId);
      const known = this.#channels.get(channelId);
      const { role = null, version = null } = found ?? {};
      if (role !== null && version !== null) this.#channels.put(learnMembership(known, { role, version }));
      if (this.#channels.get(channelId).role !== null) return null;
      return found?.isVisible === true ? { code: 'not_a_member' } : this.#miss(channelId);
    } catch {
      return away;
    }
  }

  #miss(channelId: string): Problem {
    if (this.#missingUntil.size >= MISSING_CHANNELS) this.#missingUntil.clear();
    this.#missingUntil.set(channelId, this.#clock() + MISSING_MS);
    return unknown;
  }
}
