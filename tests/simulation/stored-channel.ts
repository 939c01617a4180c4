import type { ClaimedLog, FoundMembership, LogMove, MemberRow, MessageIndexRow, PinRow, PreviewRow, ReactionRow } from '../../db/queries/room-bootstrap.ts';
import type { ChannelEvent, MemberRole } from '../../protocol/events.ts';
import type { LinkPreview } from '../../protocol/previews.ts';
import { foldMessages, type MessageState } from '../support/fold.ts';
import { StoredLog } from './stored-log.ts';

interface Row {
  readonly role: MemberRole | null;
  readonly version: number;
}

/** What Postgres holds of one channel; `stored-channel.pg.test.ts` compares the two. */
export class StoredChannel extends StoredLog<ChannelEvent> {
  readonly channelId: string;
  readonly #members = new Map<string, Row>();
  #membersVersion = 0;
  #fold: Map<string, MessageState> | null = null;

  constructor(channelId: string) {
    super();
    this.channelId = channelId;
  }

  get drainedPos(): number {
    return this.events.reduce((most, event) => (event.type === 'message.created' ? Math.max(most, event.pos ?? 0) : most), 0);
  }

  /** The messages as the tables have them; a fresh map whenever something was drained. */
  get messages(): ReadonlyMap<string, MessageState> {
    return (this.#fold ??= foldMessages(this.events));
  }

  claim(): ClaimedLog {
    return { kind: 'public', archived: false, version: 1, ...this.claimPlace(), drained_pos: this.drainedPos };
  }

  move({ found, ...to }: LogMove): boolean {
    return this.moveTo(found, to);
  }

  /** The member list is left as it is. */
  override restore(seq: number): void {
    super.restore(seq);
    this.#fold = null;
  }

  setMember(userId: string, role: MemberRole | null): void {
    this.#membersVersion += 1;
    this.#members.set(userId, { role, version: this.#membersVersion });
  }

  isMember(userId: string): boolean {
    return (this.#members.get(userId)?.role ?? null) !== null;
  }

  /** What a Worker tells the room of a user. */
  membership(userId: string): Row {
    return this.#members.get(userId) ?? { role: null, version: this.#membersVersion };
  }

  /** What a room learns of a user it does not know. */
  findMembership(userId: string): FoundMembership {
    const { role, version } = this.membership(userId);
    return { kind: 'public', channel_version: 1, role, version: role === null ? null : version };
  }

  get userIds(): string[] {
    return [...this.#members.keys()];
  }

  memberRows(): MemberRow[] {
    return [...this.#members].map(([user_id, { role, version }]) => ({ user_id, role, version }));
  }

  messageRows(): MessageIndexRow[] {
    const states = [...this.messages.values()];
    return states.map((state) => ({
      ...state,
      last_tpos: Math.max(0, ...states.map(({ thread_id, tpos }) => (thread_id === state.id ? (tpos ?? 0) : 0))),
      at: Date.parse(this.events.find(({ seq }) => seq === state.seq)?.at ?? ''),
      text: state.revision === 1 && !state.deleted ? state.text : null,
    }));
  }

  reactionRows(): ReactionRow[] {
    const live = [...this.messages.values()].filter(({ deleted }) => !deleted);
    return live.flatMap(({ id, reactions }) => reactions.map((reaction) => ({ message_id: id, ...this.#reaction(id, reaction) })));
  }

  pinRows(): PinRow[] {
    return [...this.messages.values()].flatMap(({ id, pinned }) => (pinned === null ? [] : [{ message_id: id, seq: this.pinOf(id)?.seq ?? 0 }]));
  }

  /** The event by which a message that is pinned was. */
  pinOf(messageId: string): ChannelEvent | undefined {
    return this.events.findLast((event) => event.type === 'message.pinned' && event.message_id === messageId);
  }

  previewRows(): PreviewRow[] {
    const live = [...this.messages.values()].filter(({ deleted }) => !deleted);
    return live.flatMap(({ id, revision, previews }) => {
      const removed = this.events.find((event) => event.type === 'message.previews_removed' && event.message_id === id);
      return removed === undefined && previews.length === 0 ? [] : [{ message_id: id, revision, removed_seq: removed?.seq ?? null }];
    });
  }

  /** What a message that has previews shows. */
  previewsOf(messageId: string): LinkPreview[] | undefined {
    const shown = this.events.findLast((event) => event.type === 'message.previewed' && event.message_id === messageId);
    return shown?.type === 'message.previewed' ? shown.previews : undefined;
  }

  protected override taken(): void {
    this.#fold = null;
  }

  #reaction(messageId: string, reaction: string): Omit<ReactionRow, 'message_id'> {
    const [emoji = '', user_id = ''] = reaction.split(' ');
    const added = this.events.findLast(
      (event) => event.type === 'reaction.added' && event.message_id === messageId && event.emoji === emoji && event.actor_id === user_id,
    );
    return { emoji, user_id, seq: added?.seq ?? 0 };
  }
}
