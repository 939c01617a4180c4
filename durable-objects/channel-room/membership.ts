import type { Problem } from '../../protocol/errors.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { Membership } from './access-table.ts';
import type { Conversation } from './conversation.ts';
import type { MemberChange } from './room-api.ts';
import type { RoomRecord } from './room-record.ts';

/** How long a user whom Postgres does not list is not looked up again. */
const MISSING_MS = 5_000;
const MISSING_USERS = 1_000;
/** Lookups under way at a time. */
const LOOKUPS = 32;

/**
 * Applies a member change and announces it in the log, once: what is not above the announced version is a repetition. A change that comes
 * late, after a newer one was learned from Postgres, is still announced but does not change who is a member.
 */
export function applyMemberChange(room: Conversation, change: MemberChange, now: number): readonly LogEvent[] {
  const { user_id, actor_id, role, version, event_id } = change;
  const known = room.access.membership(user_id);
  if (known !== undefined && version <= known.announced) return [];
  const { events } = room.commit(() => {
    room.access.setMembership(user_id, { ...newer(known, { role, version, announced: version }), announced: version });
    if (role === null) room.append({ type: 'member.removed', actor_id, user_id }, now, event_id);
    else room.append({ type: 'member.added', actor_id, user_id, role }, now, event_id);
  });
  return events;
}

const newer = (known: Membership | undefined, change: Membership): Membership =>
  known !== undefined && known.version > change.version ? known : change;

/**
 * Looks a user up in Postgres who would be refused as no member: the call that told the room of them may have been lost. One lookup a
 * user at a time, and none for a few seconds after one that found nothing.
 */
export class MembershipLookup {
  readonly #room: Conversation;
  readonly #record: Pick<RoomRecord, 'findMembership'>;
  readonly #clock: () => number;
  readonly #missingUntil = new Map<string, number>();
  readonly #running = new Map<string, Promise<Problem | null>>();

  constructor(room: Conversation, record: Pick<RoomRecord, 'findMembership'>, clock: () => number) {
    this.#room = room;
    this.#record = record;
    this.#clock = clock;
  }

  /** Null: the room knows now what Postgres knows. */
  async heal(userId: string): Promise<Problem | null> {
    if ((this.#missingUntil.get(userId) ?? 0) > this.#clock()) return null;
    const running = this.#running.get(userId);
    if (running !== undefined) return await running;
    if (this.#running.size >= LOOKUPS) return { code: 'unavailable', retry_after: 1 };
    const lookup = this.#lookUp(userId).finally(() => this.#running.delete(userId));
    this.#running.set(userId, lookup);
    return await lookup;
  }

  async #lookUp(userId: string): Promise<Problem | null> {
    try {
      const found = await this.#record.findMembership(this.#room.channelId, userId);
      if (found !== null) this.#room.setKind(found.kind, found.channel_version);
      if (found === null || found.role === null || found.version === null) this.#miss(userId);
      else this.#learn(userId, { role: found.role, version: found.version, announced: 0 });
      return null;
    } catch {
      return { code: 'unavailable', retry_after: 1 };
    }
  }

  #learn(userId: string, found: Membership): void {
    const known = this.#room.access.membership(userId);
    if (known !== undefined && known.version >= found.version) return;
    this.#room.access.setMembership(userId, { ...found, announced: known?.announced ?? 0 });
  }

  #miss(userId: string): void {
    if (this.#missingUntil.size >= MISSING_USERS) this.#missingUntil.clear();
    this.#missingUntil.set(userId, this.#clock() + MISSING_MS);
  }
}
