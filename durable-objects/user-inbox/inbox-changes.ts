import type { SavedState } from '../../protocol/api.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { NoticesRead, ReadResult } from '../../protocol/frames.ts';
import type { InboxNote } from '../../protocol/inbox-events.ts';
import { MAX_UNDRAINED_BYTES, MAX_UNDRAINED_EVENTS } from '../../protocol/limits.ts';
import { generationField } from '../../protocol/read-places.ts';
import type { InboxMemberChange, InboxTelling } from '../../protocol/tellings.ts';
import type { LogEvent } from '../log/event-log.ts';
import { moveBack, moveMarker } from './badge-merge.ts';
import { badgeOf, type InboxChannel } from './inbox-channels.ts';
import type { InboxState } from './inbox-state.ts';
import type { Wish } from './presence.ts';
import { type IsInView, takeMemberChange, takeTelling } from './telling.ts';

const backlogged: Problem = { code: 'room_backlogged', detail: 'The inbox holds as many unstored events as it may', retry_after: 5 };

const readResult = ({ read_pos, read_generation }: InboxChannel): ReadResult => ({ read_pos, ...generationField(read_generation) });

/** Whether something was marked as unread since. A generation that nobody gave, or that was lost with the inbox's storage, is taken for the present one. */
const isOvertaken = ({ read_generation }: InboxChannel, generation = read_generation): boolean => generation < read_generation;

export interface ChangePorts {
  clock(): number;
  readonly isInView: IsInView;
  /** A change is made; the events it has appended, if any. */
  committed(events: readonly LogEvent[]): void;
  /** The badge of a channel is another now. */
  badgeChanged(channelId: string): void;
}

/** What changes an inbox. Each change is one transaction; then what it appended is told, and the badges that it has changed. */
export class InboxChanges {
  readonly #state: InboxState;
  readonly #ports: ChangePorts;

  constructor(state: InboxState, ports: ChangePorts) {
    this.#state = state;
    this.#ports = ports;
  }

  /** Moves the read marker of a channel up to `pos`; it never goes down by this. What was read before something was marked as unread, by its generation, does nothing. */
  read(channelId: string, pos: number, generation?: number): Outcome<ReadResult> {
    const channel = this.#state.channels.get(channelId);
    if (pos <= channel.read_pos || isOvertaken(channel, generation)) return { ok: readResult(channel) };
    return this.#moveRead(moveMarker(channel, pos));
  }

  /** Moves it back to before the message at `pos`, where that is read. */
  markUnread(channelId: string, pos: number, generation?: number): Outcome<ReadResult> {
    const channel = this.#state.channels.get(channelId);
    if (pos > channel.read_pos || isOvertaken(channel, generation)) return { ok: readResult(channel) };
    return this.#moveRead(moveBack(channel, pos));
  }

  #moveRead(channel: InboxChannel): Outcome<ReadResult> {
    if (this.#isBacklogged()) return { problem: backlogged };
    const { channel_id } = channel;
    this.#commit([channel_id], () => {
      this.#state.channels.put(channel);
      this.#state.append({ type: 'read.moved', channel_id, ...readResult(channel) }, this.#ports.clock());
    });
    return { ok: readResult(channel) };
  }

  /** Marks notices as read up to this event of the log, or all; the marker never goes down, nor beyond the head. */
  readNotices(upTo: number | null): Outcome<NoticesRead> {
    const { log, marker } = this.#state;
    const { readSeq } = marker;
    const read_seq = Math.min(upTo ?? log.state.seq, log.state.seq);
    if (read_seq <= readSeq) return { ok: { read_seq: readSeq } };
    if (this.#isBacklogged()) return { problem: backlogged };
    this.#commit([], () => {
      marker.moveTo(read_seq);
      this.#state.append({ type: 'notices.read', read_seq }, this.#ports.clock());
    });
    return { ok: { read_seq } };
  }

  /** What is not above the version that was told last is a repetition, or comes late: who has heard of that version sees by its number that one is missing. */
  savedChanged({ message_id, saved, version }: SavedState): void {
    if (version <= this.#state.saved.told || this.#isBacklogged()) return;
    this.#commit([], () => {
      this.#state.saved.moveTo(version);
      this.#state.append({ type: 'saved.changed', message_id, saved, version }, this.#ports.clock());
    });
  }

  choosePresence({ choice, status }: Wish): Outcome<null> {
    if (this.#isBacklogged()) return { problem: backlogged };
    this.#commit([], () => this.#state.append({ type: 'presence.chosen', choice, status }, this.#ports.clock()));
    return { ok: null };
  }

  /** A full inbox passes it over: what it tells of is in Postgres, and is read there. */
  note(note: InboxNote, version: number): void {
    if (this.#isBacklogged()) return;
    this.#commit([], () => {
      if (this.#state.noted.admits(note, version)) this.#state.append(note, this.#ports.clock());
    });
  }

  applyMemberChange(change: InboxMemberChange): void {
    this.#commit([change.channel_id], () => takeMemberChange(this.#state, change, this.#ports.clock()));
  }

  /** False, and nothing is taken: there are as many unstored events as there may be. */
  tell(telling: InboxTelling): boolean {
    if (telling.notices.length > 0 && this.#isBacklogged()) return false;
    const touched = [...telling.changes, ...telling.notices, ...telling.badges].map(({ channel_id }) => channel_id);
    this.#commit(new Set(touched), () => takeTelling(this.#state, telling, this.#ports.isInView, this.#ports.clock()));
    return true;
  }

  /** `channels`: those whose badges it may change. */
  #commit(channels: Iterable<string>, write: () => void): void {
    const before = [...channels].map((channelId) => badgeOf(this.#state.channels.get(channelId)));
    this.#ports.committed(this.#state.commit(write));
    for (const badge of before) {
      if (JSON.stringify(badgeOf(this.#state.channels.get(badge.channel_id))) !== JSON.stringify(badge)) this.#ports.badgeChanged(badge.channel_id);
    }
  }

  #isBacklogged(): boolean {
    const { undrainedEvents, undrainedBytes } = this.#state.log;
    return undrainedEvents >= MAX_UNDRAINED_EVENTS || undrainedBytes >= MAX_UNDRAINED_BYTES;
  }
}
