import type { Badge } from '../../protocol/frames.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import { generationField, isLaterPlace, laterPlace, type ReadPlace } from '../../protocol/read-places.ts';
import { integer, pick } from './random.ts';
import { ME } from './room-model.ts';

interface Said {
  readonly author: string;
  readonly isMention: boolean;
  isDeleted: boolean;
}

const NOWHERE: ReadPlace = { generation: 0, pos: 0 };

/**
 * An inbox reduced to what its numbers mean: channels are lists of what was said in them, a badge is counted from scratch. Its log has the events
 * alone; badges are asked for at any moment.
 */
export class InboxModel {
  readonly log: InboxEvent[] = [];
  readonly #channels = new Map<string, { said: Said[]; read: ReadPlace }>();
  readonly #changed = new Set<string>();

  get head(): number {
    return this.log.length;
  }

  /** One thing that someone does now, here or on another device. */
  grow(random: () => number): void {
    const id = `channel-${integer(random, 4)}`;
    const channel = this.#channels.get(id);
    if (!channel) return this.#join(id);
    this.#changed.add(id);
    const what = pick(random, ['say', 'say', 'say', 'delete', 'read', 'unread', 'leave', 'choose'] as const);
    if (what === 'say') this.#say(id, { author: pick(random, [ME, 'other']), isMention: random() < 0.3, isDeleted: false });
    else if (what === 'delete' && channel.said.length > 0) pick(random, channel.said).isDeleted = true;
    else if (what === 'read') this.read(id, integer(random, channel.said.length + 1));
    else if (what === 'unread') this.markUnread(id, 1 + integer(random, channel.said.length + 1));
    else if (what === 'leave' && random() < 0.3) this.#leave(id);
    else if (what === 'choose') this.#append({ type: 'presence.chosen', choice: pick(random, ['auto', 'dnd'] as const), status: null });
  }

  /** Returns where the marker stands then; null where the user is no member. */
  read(channelId: string, pos: number, generation?: number): ReadPlace | null {
    const read = this.#channels.get(channelId)?.read;
    if (!read || (generation ?? read.generation) < read.generation) return read ?? null;
    return this.#moveRead(channelId, laterPlace({ ...read, pos }, read));
  }

  markUnread(channelId: string, pos: number): ReadPlace | null {
    const read = this.#channels.get(channelId)?.read;
    if (!read || pos > read.pos) return read ?? null;
    return this.#moveRead(channelId, { generation: read.generation + 1, pos: pos - 1 });
  }

  #moveRead(channelId: string, place: ReadPlace): ReadPlace {
    const channel = this.#channels.get(channelId);
    this.#changed.add(channelId);
    if (channel && isLaterPlace(place, channel.read)) {
      channel.read = place;
      this.#append({ type: 'read.moved', channel_id: channelId, read_pos: place.pos, ...generationField(place.generation) });
    }
    return place;
  }

  lastPos(channelId: string): number {
    return this.#channels.get(channelId)?.said.length ?? 0;
  }

  badges(): Badge[] {
    return [...this.#channels.keys()].map((id) => this.#badge(id)).filter(({ unread, mentions }) => unread + mentions > 0);
  }

  /** Of what has changed since the last call. */
  changedBadges(): Badge[] {
    const ids = [...this.#changed].filter((id) => this.#channels.has(id));
    this.#changed.clear();
    return ids.map((id) => this.#badge(id));
  }

  #badge(id: string): Badge {
    const { said, read } = this.#channels.get(id) ?? { said: [], read: NOWHERE };
    const unread = said.filter(({ author, isDeleted }, index) => index + 1 > read.pos && author !== ME && !isDeleted);
    return { channel_id: id, last_pos: said.length, read_pos: read.pos, ...(read.generation > 0 && { read_generation: read.generation }), unread: unread.length, mentions: unread.filter(({ isMention }) => isMention).length };
  }

  /** Whoever is meant is notified, in another event than any that counts. */
  #say(id: string, said: Said): void {
    const pos = this.#channels.get(id)?.said.push(said) ?? 0;
    if (!said.isMention || said.author === ME) return;
    this.#append({
      type: 'message.notified', reason: 'mention', channel_id: id, message_id: `message-${pos}`, author_id: said.author, channel_seq: pos, pos, thread_id: null,
    });
  }

  #join(id: string): void {
    this.#channels.set(id, { said: [], read: NOWHERE });
    this.#append({ type: 'channel.joined', channel_id: id, role: 'member', actor_id: ME });
  }

  #leave(id: string): void {
    this.#channels.delete(id);
    this.#append({ type: 'channel.left', channel_id: id, actor_id: ME });
  }

  #append(event: Body): void {
    const seq = this.head + 1;
    this.log.push({ seq, id: `event-${seq}`, at: new Date(seq * 1_000).toISOString(), ...event });
  }
}

type Body = InboxEvent extends infer E ? (E extends InboxEvent ? Omit<E, 'seq' | 'id' | 'at'> : never) : never;
