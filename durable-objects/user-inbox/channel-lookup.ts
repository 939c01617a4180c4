import type { Problem } from '../../protocol/errors.ts';
import type { FoundInboxChannel } from '../../db/queries/inbox-log.ts';
import { learnMembership } from './badge-merge.ts';
import type { InboxChannels } from './inbox-channels.ts';

/** How long a channel of which the user is no member is not looked up again; how many such are remembered; how many lookups run at a time. */
const MISSING_MS = 5_000;
const MISSING_CHANNELS = 1_000;
const LOOKUPS = 8;

const away: Problem = { code: 'unavailable', retry_after: 1 };

/**
 * Looks a channel up in Postgres that the inbox would refuse, as the room does with users: the call that told of it may have been lost. One
 * lookup a channel at a time, and none for a few seconds after one that found no membership.
 */
export class ChannelLookup {
  readonly #channels: InboxChannels;
  readonly #find: (channelId: string) => Promise<FoundInboxChannel | null>;
  readonly #clock: () => number;
  readonly #missing = new Map<string, { readonly until: number; readonly problem: Problem }>();
  readonly #running = new Map<string, Promise<Problem | null>>();

  constructor(channels: InboxChannels, find: (channelId: string) => Promise<FoundInboxChannel | null>, clock: () => number) {
    this.#channels = channels;
    this.#find = find;
    this.#clock = clock;
  }

  /** Why the user may not act in the channel; null: they are a member (G5). */
  async refusal(channelId: string): Promise<Problem | null> {
    if (this.#channels.get(channelId).role !== null) return null;
    const missing = this.#missing.get(channelId);
    if (missing !== undefined && missing.until > this.#clock()) return missing.problem;
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
      return this.#channels.get(channelId).role === null ? this.#miss(channelId, found?.isVisible === true) : null;
    } catch {
      return away;
    }
  }

  #miss(channelId: string, isVisible: boolean): Problem {
    const problem: Problem = { code: isVisible ? 'not_a_member' : 'not_found' };
    if (this.#missing.size >= MISSING_CHANNELS) this.#missing.clear();
    this.#missing.set(channelId, { until: this.#clock() + MISSING_MS, problem });
    return problem;
  }
}
