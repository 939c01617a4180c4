import { beforeEach, describe, expect, it } from 'vitest';
import type { ClaimedLog, MessageIndexRow } from '../../db/queries/room-bootstrap.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, CHANNEL, id, must, NOW, reopen } from '../../tests/support/room-core.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { bootstrap } from './bootstrap.ts';
import { applyCommand } from './commands.ts';
import { Conversation } from './conversation.ts';
import type { RoomRecord, StoredChannel } from './room-record.ts';

const PAGE = 2_000;
const TOP_LEVEL = 6_500;
const REPLIES = 700;
const COUNT = TOP_LEVEL + REPLIES;

/** Message `n` of Alice's, by the order of sending. Every reply was sent before most top-level messages, and is handed over after all of them. */
const row = (n: number, place: Pick<MessageIndexRow, 'pos' | 'thread_id' | 'tpos' | 'last_tpos'>): MessageIndexRow => ({
  id: id(8, n), author_id: ALICE.user_id, client_msg_id: `m${n}`, seq: n, deleted: false, revision: 1, at: NOW, text: 'x', ...place,
});
const isReply = (n: number): boolean => n > 1 && n <= 1 + REPLIES;
const all = Array.from({ length: COUNT }, (_, index) => index + 1);
const topLevel = all.filter((n) => !isReply(n)).map((n, index) => row(n, { pos: index + 1, thread_id: null, tpos: null, last_tpos: n === 1 ? REPLIES : 0 }));
const replies = all.filter(isReply).map((n, index) => row(n, { pos: null, thread_id: id(8, 1), tpos: index + 1, last_tpos: 0 }));

async function* pages<T>(rows: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let from = 0; from < rows.length; from += PAGE) yield rows.slice(from, from + PAGE);
}

const channel: StoredChannel = {
  members: () => pages([{ user_id: ALICE.user_id, role: 'owner', version: 1 }]),
  async *messages() {
    yield* pages(topLevel);
    yield* pages(replies);
  },
  reactions: () => pages([{ message_id: id(8, 1), emoji: '+1', user_id: ALICE.user_id, seq: 9 }]),
  pins: () => pages([{ message_id: id(8, 2), seq: 10 }]),
  previews: () => pages([{ message_id: id(8, 1), revision: 1, removed_seq: 11 }]),
};

const CLAIMED: ClaimedLog = { kind: 'public', archived: false, version: 3, epoch: 2, fence: 5, drained_seq: COUNT, drained_pos: TOP_LEVEL };

const recordOf = (stored: StoredChannel | null): Pick<RoomRecord, 'readChannel'> => ({
  readChannel: async (_, read) => {
    if (stored !== null) await read(stored);
    return stored === null ? null : CLAIMED;
  },
});

let sql: SqlDriver;
beforeEach(() => {
  sql = nodeSqlite();
});

const sentRows = (): number | undefined => sql.all<{ n: number }>('SELECT count(*) AS n FROM sent')[0]?.n;

function expectWhole(): void {
  const room = reopen(sql);
  expect([sentRows(), room.messages.sent.recent]).toEqual([COUNT, 0]);
  expect(all.filter((n) => room.messages.findSent(ALICE.user_id, `m${n}`)?.id !== id(8, n))).toEqual([]);
  expect([room.pins.seqOf(id(8, 2)), room.pins.size]).toEqual([10, 1]);
  expect(room.previews.find(id(8, 1))).toEqual({ message_id: id(8, 1), revision: 1, fingerprint: null, removed_seq: 11 });
  expect(room.log.state).toMatchObject({ epoch: 2, fence: 5, seq: COUNT, drainedSeq: COUNT });
}

describe('bootstrap', () => {
  it('merges every message, however many and in whatever order they come', async () => {
    expect(await bootstrap(sql, recordOf(channel), CHANNEL)).toBe(true);
    expectWhole();
  });

  it('leaves a room that knows repetitions, replies among them, and goes on behind them (G1, G2)', async () => {
    await bootstrap(sql, recordOf(channel), CHANNEL);
    const room = reopen(sql);
    const send = (client_msg_id: string, thread_id?: string) =>
      room.commit(() => must(applyCommand(room, ALICE, { type: 'send', client_msg_id, text: 'x', ...(thread_id !== undefined && { thread_id }) }, NOW))).value;
    expect(send('m5', id(8, 1))).toMatchObject({ message_id: id(8, 5), tpos: 4, changed: false });
    expect(send(`m${COUNT}`)).toMatchObject({ message_id: id(8, COUNT), pos: TOP_LEVEL, changed: false });
    expect(send('new')).toMatchObject({ seq: COUNT + 1, pos: TOP_LEVEL + 1, changed: true });
    expect(send('new reply', id(8, 1))).toMatchObject({ seq: COUNT + 2, tpos: REPLIES + 1, changed: true });
  });

  it('that dies on its way leaves an object that knows nothing, and the next attempt is whole', async () => {
    const dying: StoredChannel = {
      ...channel,
      async *messages() {
        yield* pages(topLevel);
        throw new Error('Postgres has gone away');
      },
    };
    await expect(bootstrap(sql, recordOf(dying), CHANNEL)).rejects.toThrow('Postgres has gone away');
    expect(Conversation.open(sql, { newId: () => expect.unreachable('nothing is open') })).toBeNull();
    expect(await bootstrap(sql, recordOf(channel), CHANNEL)).toBe(true);
    expectWhole();
  });

  it('of a channel that Postgres does not know stores nothing', async () => {
    expect(await bootstrap(sql, recordOf(null), CHANNEL)).toBe(false);
    expect(sql.all(`SELECT name FROM sqlite_master`)).toEqual([]);
  });
});
