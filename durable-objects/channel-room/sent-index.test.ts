import { beforeEach, describe, expect, it } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, BOB, id } from '../../tests/support/room-core.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { hash53 } from './hash53.ts';
import { type IndexedMessage, MESSAGE_SCHEMA, MessageIndex } from './message-index.ts';
import { type Sent, SentIndex } from './sent-index.ts';

const DUE = 4_096;
const REST = 256;

let sql: SqlDriver;
let messages: MessageIndex;
beforeEach(() => {
  sql = nodeSqlite();
  sql.run(MESSAGE_SCHEMA);
  messages = new MessageIndex(sql);
});

const sentOf = (n: number, client_msg_id = `m${n}`, author = ALICE): Sent => ({ id: id(9, n), author_id: author.user_id, client_msg_id });

const message = (n: number, client_msg_id = `m${n}`, author = ALICE): IndexedMessage => ({
  ...sentOf(n, client_msg_id, author), fingerprint: n, seq: n, pos: n, thread_id: null, tpos: null, last_tpos: 0, deleted: 0, revision: 1, at: n,
});

/** Inserts messages `from` to `to` of Alice's, each of which must be new. */
function insert(from: number, to: number, into = messages): void {
  sql.transaction(() => {
    for (let n = from; n <= to; n++) if (!into.insert(message(n))) throw new Error(`message ${n} is taken for a repetition`);
  });
}

const find = (client_msg_id: string, author = ALICE, sent = messages.sent): string | undefined => sent.find(author.user_id, client_msg_id);
const merged = (): number => sql.all<{ n: number }>('SELECT count(*) AS n FROM sent')[0]?.n ?? -1;
const mergedId = (): string | undefined => sql.all<{ merged_id: string }>('SELECT merged_id FROM sent_state')[0]?.merged_id;

/** Which of the messages 1 to `count` an index does not know under their own ids. */
const unknown = (count: number, sent: SentIndex): number[] =>
  Array.from({ length: count }, (_, index) => index + 1).filter((n) => find(`m${n}`, ALICE, sent) !== id(9, n));

describe.each([['before', 0], ['after', 1]])('a send, %s it is merged', (_, rows) => {
  beforeEach(() => {
    messages.insert(message(1, 'a'));
    if (rows > 0) messages.sent.merge('all');
  });

  it('is found by its author and client_msg_id, and by nothing else', () => {
    expect([merged(), find('a')]).toEqual([rows, id(9, 1)]);
    expect([find('a', BOB), find('b'), find('A'), find('')]).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('cannot be claimed again, and a refused claim changes nothing (G2)', () => {
    const { recent } = messages.sent;
    expect(messages.sent.claim(sentOf(2, 'a'))).toBe(false);
    expect(messages.insert(message(2, 'a'))).toBe(false);
    expect([find('a'), messages.find(id(9, 2)), messages.sent.recent]).toEqual([id(9, 1), undefined, recent]);
  });

  it('leaves its client_msg_id to other authors', () => {
    expect(messages.insert(message(2, 'a', BOB))).toBe(true);
    expect([find('a'), find('a', BOB)]).toEqual([id(9, 1), id(9, 2)]);
  });
});

describe('merge', () => {
  it.each([['due', DUE], ['rest', REST], ['all', 1]] as const)('%s waits for %i', (when, count) => {
    if (count > 1) insert(1, count - 1);
    messages.sent.merge(when);
    expect([merged(), messages.sent.recent]).toEqual([0, count - 1]);
    insert(count, count);
    messages.sent.merge(when);
    expect([merged(), messages.sent.recent, mergedId()]).toEqual([count, 0, id(9, count)]);
    expect(unknown(count, messages.sent)).toEqual([]);
  });

  it('of nothing does nothing', () => {
    messages.sent.merge('all');
    expect([merged(), mergedId()]).toEqual([0, '']);
  });

  it('writes in the order of the table, so that neighbours share a page', () => {
    sql.run(`CREATE TABLE written (n INTEGER PRIMARY KEY, hash INTEGER);
      CREATE TRIGGER record AFTER INSERT ON sent BEGIN INSERT INTO written (hash) VALUES (new.hash); END`);
    insert(1, 500);
    messages.sent.merge('all');
    const hashes = sql.all<{ hash: number }>('SELECT hash FROM written ORDER BY n').map(({ hash }) => hash);
    expect(hashes).toHaveLength(500);
    expect(hashes).toEqual(hashes.toSorted((a, b) => a - b));
  });

  it('takes ids in any order, as they come when a room is filled, and does not set its mark back', () => {
    for (const n of [7, 9, 8]) messages.insert(message(n));
    messages.sent.merge('all');
    for (const n of [3, 1]) messages.insert(message(n));
    messages.sent.merge('all');
    expect([merged(), mergedId()]).toEqual([5, id(9, 9)]);
    const next = new SentIndex(sql);
    expect([next.recent, ...['m1', 'm3', 'm7', 'm8', 'm9'].map((name) => find(name, ALICE, next))]).toEqual([0, ...[1, 3, 7, 8, 9].map((n) => id(9, n))]);
  });

  it.each(['INSERT ON sent', 'UPDATE ON sent_state'])('that fails at %s leaves everything in memory, and comes again', (write) => {
    insert(1, 10);
    sql.run(`CREATE TRIGGER fault BEFORE ${write} BEGIN SELECT raise(ABORT, 'fault'); END`);
    expect(() => messages.sent.merge('all')).toThrow('fault');
    expect([merged(), messages.sent.recent, unknown(10, messages.sent), unknown(10, new SentIndex(sql))]).toEqual([0, 10, [], []]);
    sql.run('DROP TRIGGER fault');
    messages.sent.merge('all');
    expect([merged(), unknown(10, messages.sent), unknown(10, new SentIndex(sql))]).toEqual([10, [], []]);
  });
});

describe('a later instance', () => {
  it('knows all that an earlier one took to its grave (G2)', () => {
    insert(1, 300);
    const next = new SentIndex(sql);
    expect([merged(), next.recent, unknown(300, next)]).toEqual([0, 300, []]);
    expect(next.claim(sentOf(301, 'm1'))).toBe(false);
  });

  it('knows what was merged and what was not, each once (G2)', () => {
    insert(1, 100);
    messages.sent.merge('all');
    insert(101, 150);
    messages.sent.merge('all');
    insert(151, 170);
    const next = new MessageIndex(sql);
    expect([merged(), next.sent.recent, unknown(170, next.sent)]).toEqual([150, 20, []]);
    insert(171, 180, next);
    next.sent.merge('all');
    expect([merged(), new SentIndex(sql).recent, unknown(180, new SentIndex(sql))]).toEqual([180, 0, []]);
  });

  it('merges at once what is due, and holds the rest', () => {
    insert(1, DUE + 10);
    const next = new SentIndex(sql);
    expect([merged(), next.recent, unknown(DUE + 10, next)]).toEqual([DUE, 10, []]);
  });
});

describe('rewind', () => {
  it('forgets exactly what came after, and its client_msg_ids are free', () => {
    insert(1, 3);
    const { recent } = messages.sent;
    for (const n of [4, 5]) messages.sent.claim(sentOf(n));
    messages.sent.rewind(recent);
    expect([messages.sent.recent, unknown(5, messages.sent)]).toEqual([3, [4, 5]]);
    expect([messages.insert(message(6, 'm4')), messages.insert(message(7, 'm3'))]).toEqual([true, false]);
    messages.sent.merge('all');
    expect([merged(), find('m4'), find('m5')]).toEqual([4, id(9, 6), undefined]);
  });

  it('to where it stands forgets nothing', () => {
    insert(1, 3);
    messages.sent.rewind(messages.sent.recent);
    expect(unknown(3, messages.sent)).toEqual([]);
  });
});

describe('names with the same hash', () => {
  const salt = (of: SqlDriver): string => of.all<{ salt: string }>('SELECT salt FROM sent_state')[0]?.salt ?? '';
  const hashOf = (name: string, author = ALICE): number => hash53(`${salt(sql)}${author.user_id}\n${name}`);
  /** Puts a message into the table as if its name had the hash of another. */
  const disguise = (n: number, as: number): void => void sql.run('INSERT INTO sent (hash, message_id) VALUES (?, ?)', as, id(9, n));

  beforeEach(() => {
    messages.insert(message(1, 'a'));
    messages.insert(message(2, 'b'));
    messages.insert(message(3, 'a', BOB));
    messages.sent.merge('all');
  });

  it('cannot be prepared: every room hashes differently', () => {
    const other = nodeSqlite();
    other.run(MESSAGE_SCHEMA);
    expect(salt(sql)).toMatch(/^[0-9A-F]{32}$/);
    expect(salt(other)).not.toBe(salt(sql));
    expect(sql.all('SELECT message_id FROM sent WHERE hash = ?', hashOf('a'))).toEqual([{ message_id: id(9, 1) }]);
  });

  it('are told apart by the names', () => {
    for (const n of [2, 3]) disguise(n, hashOf('a'));
    for (const n of [1, 3]) disguise(n, hashOf('b'));
    for (const n of [1, 2]) disguise(n, hashOf('a', BOB));
    expect([find('a'), find('b'), find('a', BOB)]).toEqual([id(9, 1), id(9, 2), id(9, 3)]);
  });

  it('do not take each other for a repetition', () => {
    for (const n of [1, 2, 3]) disguise(n, hashOf('new'));
    expect(find('new')).toBeUndefined();
    expect(messages.insert(message(4, 'new'))).toBe(true);
    messages.sent.merge('all');
    expect([find('new'), find('a'), find('b'), messages.insert(message(5, 'new'))]).toEqual([id(9, 4), id(9, 1), id(9, 2), false]);
  });
});
