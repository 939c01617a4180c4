import { afterEach, expect, it, vi } from 'vitest';
import { EventLog } from '../../durable-objects/log/event-log.ts';
import { SentIndex } from '../../durable-objects/channel-room/sent-index.ts';
import { AccessTable } from '../../durable-objects/channel-room/access-table.ts';
import { cursorAt } from '../../durable-objects/sockets/cursor.ts';
import { Fanout } from '../../durable-objects/sockets/fanout.ts';
import { PendingCommands } from '../../client/commands.ts';
import { simulate } from './simulate.ts';
import { Wire } from './wire.ts';

/** Within so many seeds a bug must show; CI runs a hundred times as many. */
const SEEDS = 100;

afterEach(() => vi.restoreAllMocks());

/** The guarantee that the first failing seed finds broken; null where none fails. */
async function caught(planted: Parameters<typeof simulate>[1] = {}): Promise<string | null> {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
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
