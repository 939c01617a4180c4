import type { CountedBadge } from '../../db/queries/badges.ts';
import type { ClaimedInbox, FoundInboxChannel, InboxChannelRow } from '../../db/queries/inbox-log.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import type { PresenceEvent } from '../../protocol/presence.ts';
import { laterPlace, type ReadPlace } from '../../protocol/read-places.ts';
import type { StoredChannel } from './stored-channel.ts';
import { StoredLog } from './stored-log.ts';

/** What Postgres holds of one user's inbox: its log, the read marker that follows from it, whether it is told of badges, and its presence. */
export class StoredInbox extends StoredLog<InboxEvent> {
  readonly userId: string;
  /** As a mention names the user. */
  readonly handle: string;
  readonly presence: PresenceEvent[] = [];
  readonly #channel: StoredChannel;
  #read: ReadPlace = { generation: 0, pos: 0 };
  #awakeVersion = 0;
  #isAwake = false;

  constructor(userId: string, handle: string, channel: StoredChannel) {
    super();
    this.userId = userId;
    this.handle = handle;
    this.#channel = channel;
  }

  get read(): ReadPlace {
    return this.#read;
  }

  get isAwake(): boolean {
    return this.#isAwake;
  }

  claim(): ClaimedInbox {
    this.#isAwake = false;
    return { ...this.claimPlace(), awake_version: this.#awakeVersion, notices_read_seq: 0 };
  }

  channelRows(): InboxChannelRow[] {
    const { role, version } = this.#channel.membership(this.userId);
    const notices = this.events.flatMap((event) => (event.type === 'message.notified' ? [event.channel_seq] : []));
    return [{ channel_id: this.#channel.channelId, role, version, read_pos: this.#read.pos, read_generation: this.#read.generation, notified_seq: Math.max(0, ...notices) }];
  }

  findChannel(): FoundInboxChannel {
    return { isVisible: true, ...this.#channel.membership(this.userId) };
  }

  wake(version: number): CountedBadge[] {
    if (this.#awakeVersion <= version) [this.#isAwake, this.#awakeVersion] = [true, version];
    return this.badges();
  }

  sleep(awakeVersion: number): void {
    if (awakeVersion === this.#awakeVersion) this.#isAwake = false;
  }

  /** Counted anew, from all that was said; none of a channel of which the user is no member. */
  badges(): CountedBadge[] {
    const { channelId, place, drainedPos } = this.#channel;
    const { role, version } = this.#channel.membership(this.userId);
    if (role === null) return [];
    const unread = [...this.#channel.messages.values()].filter(({ pos, author_id, deleted }) => pos !== null && pos > this.#read.pos && author_id !== this.userId && !deleted);
    const counts = { last_pos: drainedPos, read_pos: this.#read.pos, read_generation: this.#read.generation, unread: unread.length, mentions: unread.filter(({ text }) => this.isNamed(text)).length };
    return [{ user_id: this.userId, channel_id: channelId, role, version, epoch: place.epoch, as_of_seq: place.drained_seq, settings_version: 0, ...counts }];
  }

  isNamed(text: string): boolean {
    return text.includes(`@${this.handle}`);
  }

  protected override taken(events: readonly InboxEvent[]): void {
    for (const event of events) if (event.type === 'read.moved') this.#read = laterPlace({ generation: event.generation ?? 0, pos: event.read_pos }, this.#read);
  }
}
