import { nodeSqlite } from './node-sqlite.ts';
import type { ChannelEvent, MemberRole } from '../../protocol/events.ts';
import type { CommandResult } from '../../protocol/frames.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { LogEvent } from '../../durable-objects/log/event-log.ts';
import type { SqlDriver } from '../../durable-objects/log/sql-driver.ts';
import { AccessTable } from '../../durable-objects/channel-room/access-table.ts';
import { applyCommand } from '../../durable-objects/channel-room/commands.ts';
import { type ChannelKind, Conversation } from '../../durable-objects/channel-room/conversation.ts';
import type { Actor } from '../../durable-objects/sockets/actor-api.ts';

export const NOW = Date.UTC(2026, 10, 23);
export const CHANNEL = id(1, 0);

/** A UUID that says what it is: a kind and a number. */
export function id(kind: number, number: number): string {
  return `0000000${kind}-0000-7000-8000-${String(number).padStart(12, '0')}`;
}

export const actor = (number: number): Actor => ({ user_id: id(2, number), credential_id: id(3, number), expires_at: NOW + 3_600_000 });
export const [ALICE, BOB, EVE] = [actor(1), actor(2), actor(3)];

interface FixtureOptions {
  readonly kind?: ChannelKind;
  readonly sql?: SqlDriver;
  readonly members?: Readonly<Record<string, MemberRole>>;
}

const MEMBERS: Readonly<Record<string, MemberRole>> = { [ALICE.user_id]: 'owner', [BOB.user_id]: 'member' };

/** A conversation in memory, of which Alice and Bob are members and Eve is none. The ids it makes are numbered in order. */
export function conversation({ kind = 'public', sql = nodeSqlite(), members = MEMBERS }: FixtureOptions = {}): Conversation {
  Conversation.prepare(sql);
  const access = new AccessTable(sql);
  for (const [userId, role] of Object.entries(members)) {
    access.setMembership(userId, { role, version: 1, announced: 1 });
  }
  Conversation.complete(sql, { channelId: CHANNEL, kind, standing: { archived: false, version: 1 }, epoch: 1, fence: 1, seq: 0, pos: 0 });
  return reopen(sql);
}

let ids = 0;

const numbered = (): string => id(9, (ids += 1));

/** What a later instance of the object finds. */
export function reopen(sql: SqlDriver, newId: (now: number) => string = numbered): Conversation {
  const opened = Conversation.open(sql, { newId });
  if (opened === null) throw new Error('there is no conversation');
  return opened;
}

export const parsed = (events: readonly LogEvent[]): ChannelEvent[] => events.map(({ json }) => JSON.parse(json) as ChannelEvent);

export const logged = (room: Conversation): ChannelEvent[] => parsed(room.log.since(room.log.state.firstSeq - 1, 10_000, Number.MAX_SAFE_INTEGER));

/** Appends so many messages of Alice's, as drained as need be, and returns their events. */
export function appendMessages(room: Conversation, count: number, text = 'x'): LogEvent[] {
  const all: LogEvent[] = [];
  for (let left = count; left > 0; left -= 5_000) {
    if (room.log.undrainedEvents > 4_000) room.log.markDrained(room.log.state.seq);
    const { events } = room.commit(() => {
      for (let n = 0; n < Math.min(5_000, left); n++) must(applyCommand(room, ALICE, { type: 'send', client_msg_id: `m${room.nextSeq}`, text }, NOW));
    });
    all.push(...events);
  }
  return all;
}

export function must<T = CommandResult>(outcome: Outcome<T>): T {
  if ('problem' in outcome) throw new Error(`refused: ${JSON.stringify(outcome.problem)}`);
  return outcome.ok;
}
