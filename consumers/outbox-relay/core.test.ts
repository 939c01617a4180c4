import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import { LOG_START, type LogCursor, type LogRow, type LogWindow } from '../../db/queries/event-log.ts';
import { seedsOfRun } from '../../tests/support/seed.ts';
import type { LogPlace, LogPort } from '../runtime/log-walk.ts';
import { relayPage } from './core.ts';

interface Transaction {
  readonly xid: number;
  readonly rows: LogRow[];
}

/** Postgres as the relay sees it: rows appear when their transaction commits; a snapshot is the set of those that have. */
class Outbox implements LogPort {
  readonly #committed: Transaction[] = [];
  #position = 0;
  #xid = 10;

  begin(): Transaction {
    this.#xid += 1;
    return { xid: this.#xid, rows: [] };
  }

  insert(transaction: Transaction, key: string): void {
    this.#position += 1;
    const position = this.#position;
    transaction.rows.push({ position, topic: 'message.events', key, eventId: key, type: 't', channelSeq: null, data: '{}', traceparent: null, at: '' });
  }

  commit(transaction: Transaction): void {
    this.#committed.push(transaction);
  }

  /** All rows, each key's in commit order. */
  get all(): LogRow[] {
    return this.#committed.flatMap(({ rows }) => rows);
  }

  async survey(cursor: LogCursor): Promise<LogWindow> {
    const target = cursor.target ?? JSON.stringify(this.#committed.map(({ xid }) => xid));
    const positions = this.#between(cursor, target).map(({ position }) => position);
    const [first = null, last = null] = [positions.at(0), positions.at(-1)];
    return { target, targetTakenAt: 'now', first, last, count: positions.length };
  }

  async readPage(cursor: LogCursor, window: LogWindow, limit: number): Promise<LogRow[]> {
    return this.#between(cursor, window.target).slice(0, limit);
  }

  #between({ base, after }: LogCursor, target: string): LogRow[] {
    const [sent, visible] = [base, target].map((snapshot) => new Set<number>(snapshot === LOG_START.base ? [] : JSON.parse(snapshot)));
    const rows = this.#committed.filter(({ xid }) => visible?.has(xid) && !sent?.has(xid)).flatMap((transaction) => transaction.rows);
    return rows.filter(({ position }) => position > after).sort((a, b) => a.position - b.position);
  }
}

class Death extends Error {}

/** A relay that dies at random: before or after each of read, produce (also half way) and save. */
async function relayWithDeaths(outbox: Outbox, random: () => number, work: (step: number) => void, steps: number): Promise<LogRow[]> {
  const topic: LogRow[] = [];
  let stored: LogCursor = LOG_START;
  let place: LogPlace = { cursor: stored, window: null };
  const mayDie = (chance: number): void => {
    if (random() < chance) throw new Death();
  };
  const ports = (deadliness: number) => ({
    log: {
      survey: (cursor: LogCursor) => outbox.survey(cursor),
      readPage: async (cursor: LogCursor, window: LogWindow, limit: number) => {
        const rows = await outbox.readPage(cursor, window, limit);
        mayDie(deadliness);
        return rows;
      },
    },
    produce: async (rows: readonly LogRow[]) => {
      for (const row of rows) {
        mayDie(deadliness / 4);
        topic.push(row);
      }
      mayDie(deadliness);
    },
    save: async (cursor: LogCursor) => {
      mayDie(deadliness);
      stored = cursor;
      mayDie(deadliness);
      return true;
    },
  });
  for (let step = 0; step < steps || place.window !== null || (await outbox.survey(place.cursor)).count > 0; step += 1) {
    if (step < steps) work(step);
    try {
      ({ place } = await relayPage(place, ports(step < steps ? 0.2 : 0), 3));
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      place = { cursor: stored, window: null };
    }
  }
  return topic;
}

/** Writers whose transactions overlap; one key is written by one open transaction at a time, as the room's row lock has it. */
function writersOf(outbox: Outbox, random: () => number): { work: () => void; finish: () => void } {
  const open = new Map<string, Transaction>();
  const finishOne = (key: string, transaction: Transaction): void => {
    open.delete(key);
    if (random() < 0.8) outbox.commit(transaction);
  };
  return {
    work: () => {
      for (let write = 0; write < 4; write += 1) {
        const key = `k${Math.floor(random() * 5)}`;
        const transaction = open.get(key) ?? outbox.begin();
        open.set(key, transaction);
        outbox.insert(transaction, key);
        if (random() < 0.4) finishOne(key, transaction);
      }
    },
    finish: () => open.forEach((transaction, key) => finishOne(key, transaction)),
  };
}

const perKey = (rows: readonly LogRow[], key: string): number[] => rows.filter((row) => row.key === key).map(({ position }) => position);

/** What a consumer takes over: the first time each position comes, unless a higher one of its key has been. */
function takenOver(positions: readonly number[]): number[] {
  let highest = 0;
  return positions.filter((position) => {
    const isNew = position > highest;
    highest = Math.max(highest, position);
    return isNew;
  });
}

describe('relay core', () => {
  it.each(seedsOfRun(200))('G2, G3: whatever dies and whenever, every key is in the topic whole and in order (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const outbox = new Outbox();
    const writers = writersOf(outbox, random);
    const topic = await relayWithDeaths(outbox, random, (step) => (step === 39 ? writers.finish() : writers.work()), 40);
    for (const key of ['k0', 'k1', 'k2', 'k3', 'k4']) expect(takenOver(perKey(topic, key))).toEqual(perKey(outbox.all, key));
  });

  it('stores nothing and sends nothing where there is nothing', async () => {
    const outbox = new Outbox();
    const forbidden = async () => {
      throw new Error('must not be called');
    };
    const { outcome } = await relayPage({ cursor: LOG_START, window: null }, { log: outbox, produce: forbidden, save: forbidden }, 10);
    expect(outcome).toEqual({ kind: 'idle' });
  });

  it('reads the next page of a window while it produces one, and nothing beyond the window', async () => {
    const outbox = new Outbox();
    const transaction = outbox.begin();
    for (let row = 0; row < 5; row += 1) outbox.insert(transaction, 'k');
    outbox.commit(transaction);
    const steps: string[] = [];
    const log: LogPort = {
      survey: (cursor) => (steps.push('survey'), outbox.survey(cursor)),
      readPage: (...args) => (steps.push('read'), outbox.readPage(...args)),
    };
    const produce = async (rows: readonly LogRow[]) => void steps.push(`produce ${rows.length}`);
    const save = async () => true;
    const first = await relayPage({ cursor: LOG_START, window: null }, { log, produce, save }, 3);
    await relayPage(first.place, { log, produce, save }, 3);
    expect(steps).toEqual(['survey', 'read', 'read', 'produce 3', 'produce 2']);
  });

  it('reads a page again that was read ahead of one that could not be produced', async () => {
    const outbox = new Outbox();
    const transaction = outbox.begin();
    for (let row = 0; row < 5; row += 1) outbox.insert(transaction, 'k');
    outbox.commit(transaction);
    const sent: number[] = [];
    const place: LogPlace = { cursor: LOG_START, window: null };
    const save = async () => true;
    const refuse = async () => {
      throw new Death();
    };
    await expect(relayPage(place, { log: outbox, produce: refuse, save }, 3)).rejects.toThrow(Death);
    const produce = async (rows: readonly LogRow[]) => void sent.push(...rows.map(({ position }) => position));
    const first = await relayPage(place, { log: outbox, produce, save }, 3);
    await relayPage(first.place, { log: outbox, produce, save }, 3);
    expect(sent).toEqual([1, 2, 3, 4, 5]);
  });

  it('keeps its place when another leader has taken over', async () => {
    const outbox = new Outbox();
    const transaction = outbox.begin();
    outbox.insert(transaction, 'k');
    outbox.commit(transaction);
    const place: LogPlace = { cursor: LOG_START, window: null };
    const result = await relayPage(place, { log: outbox, produce: async () => {}, save: async () => false }, 10);
    expect(result).toEqual({ outcome: { kind: 'fenced' }, place });
  });
});
