import type { ClaimedLog, FoundMembership, LogMove, LogPlace, MemberRow, MessageIndexRow, ReactionRow } from '../../db/queries/room-bootstrap.ts';
import type { LogClaim } from '../../durable-objects/channel-room/room-record.ts';
import type { DrainAnswer } from '../../durable-objects/log/drain.ts';
import type { ChannelEvent, MemberRole } from '../../protocol/events.ts';
import { foldMessages, type MessageState } from '../support/fold.ts';

interface Place {
  readonly epoch: number;
  readonly fence: number;
  readonly drained_seq: number;
  readonly drained_pos: number;
}

interface Row {
  readonly role: MemberRole | null;
  readonly version: number;
}

/** What Postgres holds of one channel, by the rules of `drain_conversation` and `claimLog`; `stored-channel.pg.test.ts` compares the two. */
export class StoredChannel {
  readonly channelId: string;
  readonly events: ChannelEvent[] = [];
  readonly #members = new Map<string, Row>();
  #membersVersion = 0;
  #place: Place = { epoch: 1, fence: 0, drained_seq: 0, drained_pos: 0 };
  #fold: Map<string, MessageState> | null = null;

  constructor(channelId: string) {
    this.channelId = channelId;
  }

  get place(): Place {
    return this.#place;
  }

  /** The messages as the tables have them; a fresh map whenever something was drained. */
  get messages(): ReadonlyMap<string, MessageState> {
    return (this.#fold ??= foldMessages(this.events));
  }

  drain({ epoch, fence }: LogClaim, batch: readonly ChannelEvent[]): DrainAnswer {
    const { drained_seq } = this.#place;
    if (this.#place.fence > fence || this.#place.epoch !== epoch) return { status: 'fenced', drained_seq };
    const [first, last] = [batch[0]?.seq ?? 0, batch.at(-1)?.seq ?? 0];
    if (first > drained_seq + 1) return { status: 'gap', drained_seq };
    if (last <= drained_seq) return { status: 'ok', drained_seq };
    if (batch.some(({ seq }, index) => seq !== first + index)) return { status: 'gap', drained_seq };
    this.events.push(...batch.filter(({ seq }) => seq > drained_seq));
    this.#fold = null;
    this.#place = { ...this.#place, fence, drained_seq: last, drained_pos: lastPos(this.events) };
    return { status: 'ok', drained_seq: last };
  }

  claim(): ClaimedLog {
    const { epoch, fence, drained_seq, drained_pos } = this.#place;
    this.#place = { epoch: epoch + (fence > 0 || drained_seq > 0 ? 1 : 0), fence: fence + 1, drained_seq, drained_pos };
    return { kind: 'public', ...this.#place };
  }

  findPlace(): LogPlace {
    const { epoch, fence, drained_seq } = this.#place;
    return { epoch, fence, drained_seq, event_id: this.events[drained_seq - 1]?.id ?? null };
  }

  move({ found, epoch, fence, drainedSeq }: LogMove): boolean {
    const { epoch: atEpoch, fence: atFence, drained_seq } = this.#place;
    if (atEpoch !== found.epoch || atFence !== found.fence || drained_seq !== found.drained_seq) return false;
    this.#place = { ...this.#place, epoch, fence, drained_seq: drainedSeq };
    return true;
  }

  /** As it was when only `seq` events were drained: a backup was restored. The member list is left as it is. */
  restore(seq: number): void {
    this.events.length = seq;
    this.#fold = null;
    this.#place = { ...this.#place, fence: Math.max(1, this.#place.fence - 1), drained_seq: seq, drained_pos: lastPos(this.events) };
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
    return { kind: 'public', role, version: role === null ? null : version };
  }

  memberRows(): MemberRow[] {
    return [...this.#members].flatMap(([user_id, { role, version }]) => (role === null ? [] : [{ user_id, role, version }]));
  }

  messageRows(): MessageIndexRow[] {
    const states = [...this.messages.values()];
    return states.map((state) => ({
      ...state,
      last_tpos: Math.max(0, ...states.map(({ thread_id, tpos }) => (thread_id === state.id ? (tpos ?? 0) : 0))),
      at: Date.parse(this.events[state.seq - 1]?.at ?? ''),
      text: state.revision === 1 && !state.deleted ? state.text : null,
    }));
  }

  reactionRows(): ReactionRow[] {
    const live = [...this.messages.values()].filter(({ deleted }) => !deleted);
    return live.flatMap(({ id, reactions }) => reactions.map((reaction) => ({ message_id: id, ...this.#reaction(id, reaction) })));
  }

  #reaction(messageId: string, reaction: string): Omit<ReactionRow, 'message_id'> {
    const [emoji = '', user_id = ''] = reaction.split(' ');
    const added = this.events.findLast(
      (event) => event.type === 'reaction.added' && event.message_id === messageId && event.emoji === emoji && event.actor_id === user_id,
    );
    return { emoji, user_id, seq: added?.seq ?? 0 };
  }
}

const lastPos = (events: readonly ChannelEvent[]): number =>
  events.reduce((most, event) => (event.type === 'message.created' ? Math.max(most, event.pos ?? 0) : most), 0);
