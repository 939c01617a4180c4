import { afterEach, expect, it, vi } from 'vitest';
import { EventLog } from '../../durable-objects/log/event-log.ts';
import { BadgeFeed } from '../../durable-objects/user-inbox/badge-feed.ts';
import { GivenNotices } from '../../durable-objects/user-inbox/given-notices.ts';
import { InboxPresence } from '../../durable-objects/user-inbox/inbox-presence.ts';
import { PresenceTable } from '../../durable-objects/user-inbox/presence-table.ts';
import { Room } from '../../durable-objects/channel-room/room.ts';
import { SentIndex } from '../../durable-objects/channel-room/sent-index.ts';
import { AccessTable } from '../../durable-objects/channel-room/access-table.ts';
import { cursorAt } from '../../durable-objects/sockets/cursor.ts';
import { Fanout } from '../../durable-objects/sockets/fanout.ts';
import { PendingCommands } from '../../client/commands.ts';
import { simulate } from './simulate.ts';
import { StoredLog } from './stored-log.ts';
import { PEOPLE_EVERY } from './world.ts';
import { Wire } from './wire.ts';

/** Within so many seeds a bug must show; CI runs a hundred times as many. Every fifth is of people. */
const SEEDS = 100;
const PEOPLE_SEEDS = 40;

vi.setConfig({ testTimeout: 120_000 });
afterEach(() => vi.restoreAllMocks());

/** The guarantee that the first failing seed finds broken; null where none fails. */
async function caught(planted: Parameters<typeof simulate>[1] = {}): Promise<string | null> {
  return await firstBroken(Array.from({ length: SEEDS }, (_, index) => index + 1), planted);
}

/** As `caught`, in histories of people with their inboxes alone. */
async function caughtAmongPeople(): Promise<string | null> {
  return await firstBroken(Array.from({ length: PEOPLE_SEEDS }, (_, index) => (index + 1) * PEOPLE_EVERY), {});
}

async function firstBroken(seeds: readonly number[], planted: Parameters<typeof simulate>[1]): Promise<string | null> {
  for (const seed of seeds) {
    const [first] = await simulate(seed, planted);
    if (first !== undefined) return first.guarantee;
  }
  return null;
}

it('catches nothing where nothing is planted', async () => {
  expect(await caught()).toBeNull();
});

it('catches a room that answers before what it says is durable', async () => {
  expect(await caught({ planted: { openGate: true } })).toMatch(/^G[13]$/);
});

it('catches a drain that does not wait for durability', async () => {
  expect(await caught({ planted: { falseDurability: true } })).toBe('G6');
});

it('catches a room that does not know a repeated send', async () => {
  vi.spyOn(SentIndex.prototype, 'find').mockReturnValue(undefined);
  expect(await caught()).toBe('G2');
});

it('catches a resume that is off by one', async () => {
  const join = Fanout.prototype.join;
  vi.spyOn(Fanout.prototype, 'join').mockImplementation(function (this: Fanout<Wire>, socket, record) {
    const { sent } = record.cursor;
    return join.call(this, socket, { ...record, cursor: cursorAt(sent > 0 ? sent - 1 : 0) });
  });
  expect(await caught()).toBe('G4');
});

it('catches a fan-out that does not look who is a member', async () => {
  vi.spyOn(Fanout.prototype, 'closeWhere').mockImplementation(() => {});
  expect(await caught()).toBe('G5');
});

it('catches a room that takes commands of anyone', async () => {
  vi.spyOn(AccessTable.prototype, 'isMember').mockReturnValue(true);
  vi.spyOn(AccessTable.prototype, 'isRevoked').mockReturnValue(false);
  expect(await caught()).toBe('G5');
});

it('catches a record that says it is settled while frames go out', async () => {
  const save = Wire.prototype.save;
  vi.spyOn(Wire.prototype, 'save').mockImplementation(function (this: Wire, record) {
    save.call(this, { ...record, settled: true });
  });
  expect(await caught()).toBe('G4');
});

it('catches a drain that takes for stored what it has not sent', async () => {
  const undrained = EventLog.prototype.undrained;
  vi.spyOn(EventLog.prototype, 'undrained').mockImplementation(function (this: EventLog, maxEvents, maxBytes) {
    return undrained.call(this, maxEvents, maxBytes).slice(0, 1);
  });
  const markDrained = EventLog.prototype.markDrained;
  vi.spyOn(EventLog.prototype, 'markDrained').mockImplementation(function (this: EventLog) {
    markDrained.call(this, this.state.seq);
  });
  expect(await caught()).toBe('G6');
});

it('catches a client that does not say again what had no answer', async () => {
  vi.spyOn(PendingCommands.prototype, 'untake').mockReturnValue();
  expect(await caught()).toBe('G1');
});

it('catches an inbox that takes a notice again that it has had', async () => {
  vi.spyOn(GivenNotices.prototype, 'has').mockReturnValue(false);
  vi.spyOn(GivenNotices.prototype, 'add').mockReturnValue(null);
  expect(await caughtAmongPeople()).toMatch(/^G[23]$/);
});

it('catches an inbox that is told of messages and keeps them to itself', async () => {
  vi.spyOn(GivenNotices.prototype, 'has').mockReturnValue(true);
  expect(await caughtAmongPeople()).toBe('G7');
});

it('catches a marker that is let go beyond the newest message', async () => {
  vi.spyOn(Room.prototype, 'lastPosFor').mockResolvedValue({ ok: Number.MAX_SAFE_INTEGER });
  expect(await caughtAmongPeople()).toBe('G7');
});

it('catches badges whose change is told to nobody', async () => {
  vi.spyOn(BadgeFeed.prototype, 'changed').mockImplementation(() => {});
  expect(await caughtAmongPeople()).toBe('G7');
});

it('catches a presence whose lease never ends', async () => {
  vi.spyOn(InboxPresence.prototype, 'update').mockImplementation(() => {});
  expect(await caughtAmongPeople()).toMatch(/^G[48]$/);
});

it('catches a presence that is told at every change', async () => {
  const save = PresenceTable.prototype.save;
  vi.spyOn(PresenceTable.prototype, 'save').mockImplementation(function (this: PresenceTable, changed) {
    // So that the next change seems late enough.
    save.call(this, changed.told === undefined ? changed : { ...changed, told: { ...changed.told, at: changed.told.at - 5_000 } });
  });
  expect(await caughtAmongPeople()).toBe('G8');
});

it('catches a room that tells whoever does not look', async () => {
  const save = Wire.prototype.save;
  vi.spyOn(Wire.prototype, 'save').mockImplementation(function (this: Wire, record) {
    save.call(this, { ...record, watching: false });
  });
  expect(await caughtAmongPeople()).toBe('G5');
});

it('catches a Postgres that says it has set poison aside, and has not', async () => {
  vi.spyOn(StoredLog.prototype, 'skip').mockImplementation(function (this: StoredLog<never>) {
    return { status: 'ok', drained_seq: this.place.drained_seq };
  });
  expect(await caught()).not.toBeNull();
});
