import type { MemberRole } from '../../protocol/events.ts';
import type { InboxMemberChange, InboxTelling, TellAnswer } from '../../protocol/tellings.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import type { InboxObject } from './inbox-object.ts';
import type { ObjectPorts } from './simulated-object.ts';

type Created = Extract<ChannelEvent, { type: 'message.created' }>;
/** A directory event, as the consumer reads it. */
export interface StoredChange extends InboxMemberChange {
  readonly user_id: string;
  readonly role: MemberRole | null;
}

interface NotifierPorts extends Pick<ObjectPorts, 'schedule' | 'random' | 'stored' | 'reach' | 'trace'> {
  readonly inboxes: readonly InboxObject[];
  readonly changes: readonly StoredChange[];
}

/** How far each log is consumed. */
interface Offsets {
  readonly channel: number;
  readonly changes: number;
  readonly inboxes: readonly number[];
}

const EVERY_MS = 300;
/** Of 1: batches that are told again although all of it was taken, as after a rebalance. */
const REPEATED = 0.1;

/**
 * The consumer group `notifier`: tells inboxes of messages that are meant for their users, of member changes once more, and of badges. A batch whose
 * telling failed, or whose transaction did, is told again, whole; the offsets move when all of it was taken.
 */
export class Notifier {
  readonly #ports: NotifierPorts;
  #offsets: Offsets;

  constructor(ports: NotifierPorts) {
    this.#ports = ports;
    this.#offsets = { channel: 0, changes: 0, inboxes: ports.inboxes.map(() => 0) };
  }

  /** Whether everything in Postgres was told. */
  get isDone(): boolean {
    const { channel, changes, inboxes } = this.#heads();
    return channel === this.#offsets.channel && changes === this.#offsets.changes && inboxes.every((head, index) => head === this.#offsets.inboxes[index]);
  }

  async run(): Promise<never> {
    for (;;) {
      await this.#ports.schedule.delay(EVERY_MS);
      if (!this.isDone && !this.#ports.reach.away) await this.#batch();
    }
  }

  #heads(): Offsets {
    const { stored, changes, inboxes } = this.#ports;
    return { channel: stored.events.length, changes: changes.length, inboxes: inboxes.map((inbox) => inbox.stored.events.length) };
  }

  async #batch(): Promise<void> {
    const heads = this.#heads();
    const told = await Promise.all(this.#ports.inboxes.map((inbox, index) => this.#tell(inbox, this.#telling(inbox, index))));
    const { random, reach } = this.#ports;
    if (told.every(Boolean) && random() >= REPEATED + reach.lost) this.#offsets = heads;
  }

  #telling({ stored: inbox }: InboxObject, index: number): InboxTelling {
    const { stored, changes } = this.#ports;
    const events = stored.events.slice(this.#offsets.channel);
    const own = changes.slice(this.#offsets.changes).filter(({ user_id }) => user_id === inbox.userId);
    const hasRead = inbox.events.slice(this.#offsets.inboxes[index]).some(({ type }) => type === 'read.moved');
    const { role, version } = stored.membership(inbox.userId);
    const meant = role === null ? [] : events.filter((event): event is Created => event.type === 'message.created' && event.actor_id !== inbox.userId && inbox.isNamed(event.text));
    return {
      changes: own.map(({ event_id, channel_id, actor_id, role: as, version: at }) => ({ event_id, channel_id, actor_id, role: as, version: at })),
      notices: role === null ? [] : meant.map((event) => ({ ...noticeOf(stored.channelId, event), role, version })),
      badges: inbox.isAwake && (events.length > 0 || own.length > 0 || hasRead) ? inbox.badges() : [],
    };
  }

  async #tell(inbox: InboxObject, telling: InboxTelling): Promise<boolean> {
    if (telling.changes.length + telling.notices.length + telling.badges.length === 0) return true;
    this.#ports.trace.note(() => `${inbox.name} is told ${JSON.stringify(telling)}`);
    try {
      const outcome = await inbox.callInbox((it) => it.tell(telling));
      return 'ok' in outcome && this.#taken(inbox, outcome.ok);
    } catch {
      return false;
    }
  }

  #taken({ stored }: InboxObject, answer: TellAnswer): boolean {
    if (answer.status === 'asleep') stored.sleep(answer.awake_version);
    return answer.status === 'told' || answer.status === 'asleep';
  }
}

const noticeOf = (channel_id: string, { id, message_id, actor_id, seq, pos, thread_id }: Created) => ({
  event_id: id, reason: 'mention' as const, channel_id, message_id, author_id: actor_id, channel_seq: seq, pos, thread_id,
});
