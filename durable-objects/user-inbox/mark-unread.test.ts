import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import { integer, pick, seededRandom } from '../../client/testing/random.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { generationField } from '../../protocol/read-places.ts';
import type { InboxBadge } from '../../protocol/tellings.ts';
import { actorOf, type InboxClient, joined, openInbox } from '../../tests/support/inbox-core.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { seedsOfRun } from '../../tests/support/seed.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import type { InboxRecord } from './inbox-record.ts';
import type { Inbox } from './inbox.ts';

const [ALICE, CHANNEL] = [uuidv7(), uuidv7()];
const away = (): Promise<never> => Promise.reject(new Error('Postgres is away'));

/** A Postgres that knows one channel of Alice's, and is away for everything else. */
const record: InboxRecord = {
  readUser: async () => ({
    claimed: { epoch: 1, fence: 1, drained_seq: 0, awake_version: 0, notices_read_seq: 0 },
    channels: [{ channel_id: CHANNEL, role: 'member', version: 1, read_pos: 0, read_generation: 0, notified_seq: 0 }],
    wish: { choice: 'auto', status: null, version: 0 },
  }),
  findChannel: away, wake: away, drainBatch: away, skipPoison: away, findPlace: away, move: away, keepForked: away, eventsBetween: away, poisonBetween: away, logPresence: away,
  isDataFault: () => false,
  rest: () => true,
};

let sql: SqlDriver;
let now: number;
let timers: (() => void)[];
let inbox: Inbox<InboxClient>;
/** What the channel's room answers that is asked for its newest message; how often it was. */
let lastPos: () => Promise<Outcome<number>>;
let asked: number;
const lastPosOf = (): Promise<Outcome<number>> => {
  asked += 1;
  return lastPos();
};
const open = (): Promise<Inbox<InboxClient>> => openInbox(ALICE, { sql, record, lastPosOf, clock: () => now, schedule: (_, task) => void timers.push(task) });
/** Lets whatever waits happen. */
function pass(ms: number): void {
  now += ms;
  for (const task of timers.splice(0)) task();
}
const badge = (parts: Partial<InboxBadge>): InboxBadge => ({
  channel_id: CHANNEL, role: 'member', version: 1, epoch: 1, as_of_seq: 1, last_pos: 1, read_pos: 0, unread: 1, mentions: 0, settings_version: 0, ...parts,
});
const tell = ({ badges }: { badges: InboxBadge[] }) => inbox.tell({ changes: [], notices: [], badges });

beforeEach(async () => {
  [sql, now, timers] = [nodeSqlite(), Date.UTC(2026, 10, 26), []];
  [lastPos, asked] = [async () => ({ ok: 1_000 }), 0];
  inbox = await open();
});

describe('marking as read', () => {
  const read = (pos: number, generation?: number) => inbox.read(actorOf(ALICE), CHANNEL, pos, generation);

  it('ends at the newest message, which the room is asked for where more is wanted than was counted (P30)', async () => {
    lastPos = async () => ({ ok: 5 });
    tell({ badges: [badge({ last_pos: 3, unread: 3 })] });
    expect([await read(3), asked]).toEqual([{ ok: { read_pos: 3 } }, 0]);
    expect([await read(9), await read(5), await read(99), asked]).toEqual([...Array.from({ length: 3 }, () => ({ ok: { read_pos: 5 } })), 2]);
    // What is sent next is unread, and may be read.
    tell({ badges: [badge({ as_of_seq: 6, last_pos: 6, read_pos: 5, unread: 1 })] });
    expect((await joined(inbox)).unread).toMatchObject([{ last_pos: 6, read_pos: 5, unread: 1 }]);
    lastPos = async () => ({ ok: 7 });
    expect([await read(6), await read(7)]).toEqual([{ ok: { read_pos: 6 } }, { ok: { read_pos: 7 } }]);
  });

  it('stays where it is while the room cannot be asked, and says so', async () => {
    lastPos = () => Promise.reject(new Error('the room is away'));
    expect(await read(2)).toMatchObject({ problem: { code: 'unavailable', retry_after: 1 } });
    lastPos = async () => ({ problem: { code: 'not_a_member' } });
    expect(await read(2)).toMatchObject({ problem: { code: 'not_a_member' } });
    lastPos = async () => ({ ok: 2 });
    expect(await read(2)).toEqual({ ok: { read_pos: 2 } });
  });

  it('does nothing for whom has left meanwhile (G5), nor where something was marked as unread', async () => {
    const room = Promise.withResolvers<Outcome<number>>();
    await read(3);
    lastPos = () => room.promise;
    const [late, gone] = [read(8, 0), read(9)];
    expect(await inbox.markUnread(actorOf(ALICE), CHANNEL, 2)).toEqual({ ok: { read_pos: 1, generation: 1 } });
    room.resolve({ ok: 10 });
    expect(await late).toEqual({ ok: { read_pos: 1, generation: 1 } });
    expect(await gone).toEqual({ ok: { read_pos: 9, generation: 1 } });
    const leaving = Promise.withResolvers<Outcome<number>>();
    lastPos = () => leaving.promise;
    const last = read(10);
    inbox.applyMemberChange({ event_id: uuidv7(), channel_id: CHANNEL, actor_id: ALICE, role: null, version: 9 });
    leaving.resolve({ ok: 10 });
    expect(await last).toMatchObject({ problem: {} });
  });
});

describe('marking as unread', () => {
  const read = (pos: number, generation?: number) => inbox.read(actorOf(ALICE), CHANNEL, pos, generation);
  const markUnread = (pos: number, generation?: number) => inbox.markUnread(actorOf(ALICE), CHANNEL, pos, generation);

  it('moves the marker back on all devices, and its generation on; where it is unread already nothing changes (P61)', async () => {
    const client = await joined(inbox);
    await read(9);
    expect([await markUnread(5), await markUnread(5), await markUnread(9)]).toEqual(Array.from({ length: 3 }, () => ({ ok: { read_pos: 4, generation: 1 } })));
    expect(client.events.map((event) => event.type === 'read.moved' && [event.read_pos, event.generation])).toEqual([[9, undefined], [4, 1]]);
    expect(await read(6)).toEqual({ ok: { read_pos: 6, generation: 1 } });
    expect(await markUnread(1)).toEqual({ ok: { read_pos: 0, generation: 2 } });
  });

  it('is not undone by what was read before, however late that comes; nor done again by a repetition (G2, P61)', async () => {
    await read(9, 0);
    await markUnread(5, 0);
    expect(await read(9, 0)).toEqual({ ok: { read_pos: 4, generation: 1 } });
    expect(await read(8, 1)).toEqual({ ok: { read_pos: 8, generation: 1 } });
    expect(await markUnread(5, 0)).toEqual({ ok: { read_pos: 8, generation: 1 } });
    // Who names no generation, or one that this inbox has lost, speaks of the present.
    expect(await read(9)).toEqual({ ok: { read_pos: 9, generation: 1 } });
    expect(await read(10, 7)).toEqual({ ok: { read_pos: 10, generation: 1 } });
  });

  it('shows at most what can be unread until it is counted, and what was counted before it not at all (G7)', async () => {
    const client = await joined(inbox);
    tell({ badges: [badge({ as_of_seq: 20, last_pos: 12, read_pos: 0, unread: 12 })] });
    await read(12);
    pass(200);
    await markUnread(8);
    pass(200);
    expect(client.unread).toMatchObject([{ read_pos: 7, read_generation: 1, unread: 5 }]);
    tell({ badges: [badge({ as_of_seq: 21, last_pos: 12, read_pos: 12, unread: 0 })] });
    pass(200);
    expect(client.unread).toMatchObject([{ unread: 5 }]);
    tell({ badges: [badge({ as_of_seq: 21, last_pos: 12, read_pos: 7, read_generation: 1, unread: 3 })] });
    pass(200);
    expect(client.unread).toMatchObject([{ read_pos: 7, unread: 3 }]);
  });

  it('is known to the next instance, and to an inbox that was laid before there was any', async () => {
    await read(9);
    await markUnread(3);
    inbox = await open();
    expect(await read(9, 0)).toEqual({ ok: { read_pos: 2, generation: 1 } });
    sql.run('DROP TABLE read_generations');
    inbox = await open();
    expect(await markUnread(1)).toEqual({ ok: { read_pos: 0, generation: 1 } });
  });

  it.each(seedsOfRun(3))('leaves the marker where the devices put it that knew of it, whatever the others say late (seed %i) (G2)', async (seed) => {
    const random = seededRandom(seed);
    const devices = [0, 0, 0];
    let place = { generation: 0, pos: 0 };
    for (let n = 0; n < 300; n++) {
      const [device, pos] = [integer(random, devices.length), 1 + integer(random, 20)];
      const [known = 0, what] = [devices[device], pick(random, ['read', 'read', 'unread', 'hear', 'evict'] as const)];
      if (what === 'read') {
        if (known === place.generation) place = { generation: known, pos: Math.max(place.pos, pos) };
        await read(pos, known);
      } else if (what === 'unread') {
        if (known === place.generation && pos <= place.pos) place = { generation: place.generation + 1, pos: pos - 1 };
        await markUnread(pos, known);
      } else if (what === 'hear') devices[device] = place.generation;
      else if (random() < 0.1) inbox = await open();
      expect(await read(0)).toEqual({ ok: { read_pos: place.pos, ...generationField(place.generation) } });
    }
    expect(place.generation).toBeGreaterThan(5);
  });

  it('is refused where reading is, and to who is no member (G5, G8)', async () => {
    expect(await inbox.markUnread(actorOf(CHANNEL), CHANNEL, 1)).toMatchObject({ problem: { code: 'forbidden' } });
    expect(await inbox.markUnread(actorOf(ALICE), ALICE, 1)).toMatchObject({ problem: { code: 'unavailable' } });
  });
});
