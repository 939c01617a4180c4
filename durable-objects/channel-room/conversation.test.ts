import { V7Generator } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, appendMessages, CHANNEL, conversation, id, must, NOW, reopen } from '../../tests/support/room-core.ts';
import { MAX_EVENTS_PER_MS } from '../../protocol/limits.ts';
import { timeOfId } from '../../protocol/primitives.ts';
import { EventLog, LOG_SCHEMA } from '../log/event-log.ts';
import type { SqlDriver, SqlValue } from '../log/sql-driver.ts';
import { ACCESS_SCHEMA, AccessTable } from './access-table.ts';
import { applyCommand } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { fingerprint } from './hash53.ts';

const DUE = 4_096;

let sql: SqlDriver;
let room: Conversation;
beforeEach(() => {
  sql = nodeSqlite();
  room = conversation({ sql });
});

/** Sends inside a commit. */
const apply = (name: string, to = room, author = ALICE, now = NOW) => must(applyCommand(to, author, { type: 'send', client_msg_id: name, text: 'x' }, now));
const send = (name: string, to = room, author = ALICE, now = NOW) => to.commit(() => apply(name, to, author, now)).value;
const knows = (name: string, of = room): boolean => of.messages.findSent(ALICE.user_id, name) !== undefined;
const countOf = (table: 'messages' | 'sent', within = sql): number => within.all<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)[0]?.n ?? -1;

class Fault extends Error {}
const fail = (): never => {
  throw new Fault();
};

describe('a commit that fails', () => {
  it('forgets what it had claimed and nothing else, and the same sends succeed later (G2)', () => {
    const first = send('first');
    const failing = (): unknown => room.commit(() => [apply('a'), apply('b'), apply('first'), fail()]);
    expect(failing).toThrow(Fault);
    expect([room.messages.sent.recent, knows('a'), knows('b'), knows('first')]).toEqual([1, false, false, true]);
    expect([send('a'), send('first')]).toMatchObject([{ pos: 2, changed: true }, { message_id: first.message_id, changed: false }]);
    expect(send('a', reopen(sql))).toMatchObject({ pos: 2, changed: false });
  });

  it('keeps what was merged when it began', () => {
    appendMessages(room, DUE);
    expect([countOf('sent'), room.messages.sent.recent]).toEqual([0, DUE]);
    expect(() => room.commit(() => [apply('a'), fail()])).toThrow(Fault);
    for (const instance of [room, reopen(sql)]) {
      expect([countOf('sent'), instance.messages.sent.recent, knows('a', instance)]).toEqual([DUE, 0, false]);
      expect([send('m1', instance), send(`m${DUE}`, instance)]).toMatchObject([{ seq: 1, changed: false }, { seq: DUE, changed: false }]);
    }
    expect(send('a')).toMatchObject({ seq: DUE + 1, changed: true });
  });

  it('because the merge failed has done nothing, and the room goes on when it can be merged', () => {
    appendMessages(room, DUE);
    sql.run(`CREATE TRIGGER fault BEFORE INSERT ON sent BEGIN SELECT raise(ABORT, 'fault'); END`);
    expect(() => send('a')).toThrow('fault');
    expect([room.messages.sent.recent, room.log.state.seq, knows('a')]).toEqual([DUE, DUE, false]);
    sql.run('DROP TRIGGER fault');
    expect([send('a'), send('m7')]).toMatchObject([{ seq: DUE + 1, changed: true }, { seq: 7, changed: false }]);
  });
});

describe('an attempt that fails', () => {
  it('frees what it had claimed within its commit, which keeps what came before and after (G2)', () => {
    const { events } = room.commit(() => {
      apply('before');
      expect(() => room.attempt(() => [apply('a'), apply('before'), fail()])).toThrow(Fault);
      apply('after');
    });
    expect(events.map(({ seq }) => seq)).toEqual([1, 2]);
    expect([room.messages.sent.recent, knows('before'), knows('a'), knows('after')]).toEqual([2, true, false, true]);
    expect([send('a'), send('after')]).toMatchObject([{ pos: 3, changed: true }, { pos: 2, changed: false }]);
  });
});

describe('an instance that rests', () => {
  it('merges what the next one would have to read, if it is much', () => {
    appendMessages(room, 255);
    room.rest();
    expect(countOf('sent')).toBe(0);
    appendMessages(room, 1);
    room.rest();
    expect([countOf('sent'), reopen(sql).messages.sent.recent]).toEqual([256, 0]);
  });
});

describe('a death at any write', () => {
  /** Counts writes down; at none left the instance dies, and with it its turn. */
  const mortal = (writes: number): SqlDriver => {
    let left = writes;
    return { ...sql, run: (statement, ...bindings) => ((left -= 1) < 0 ? fail() : sql.run(statement, ...bindings)) };
  };

  /** One commit below the threshold, one that begins with a merge, one after it. */
  function script(to: Conversation): string[] {
    const batch = to.commit(() => to.attempt(() => ['b', 'c'].map((name) => apply(name, to))));
    const results = [send('a', to), ...batch.value, send('d', to), send('a', to)];
    return results.map(({ message_id }) => message_id);
  }

  /** Runs the script in one turn, which does not outlive the instance. Returns whether the script was through. */
  function dieAfter(writes: number): boolean {
    let through = false;
    const turn = (): void => {
      script(reopen(mortal(writes)));
      through = true;
      fail();
    };
    expect(() => sql.transaction(turn)).toThrow(Fault);
    return through;
  }

  it('loses that turn alone, and repeating it sends each once (G1, G2)', () => {
    appendMessages(room, DUE - 1);
    let writes = 0;
    for (; !dieAfter(writes); writes++) {
      const { log, messages } = reopen(sql);
      expect([log.state.seq, messages.sent.recent, messages.findSent(ALICE.user_id, 'a')], `${writes} writes`).toEqual([DUE - 1, DUE - 1, undefined]);
    }
    expect(writes).toBeGreaterThan(10);
    const ids = script(reopen(sql));
    expect(script(reopen(sql))).toEqual(ids);
    expect([countOf('messages'), countOf('sent'), new Set(ids).size]).toEqual([DUE + 3, DUE + 1, 4]);
  });
});

describe('ids', () => {
  /** An instance by a clock of its own, as the platform makes them. */
  function instance(): Conversation {
    const generator = new V7Generator();
    return reopen(sql, (now) => generator.generateOrResetWithTs(now).toString());
  }

  it.each([
    ['within one instance', (): Conversation => room],
    ['from one instance to the next', instance],
    ['from one to the next that has merged', (): Conversation => (room.messages.sent.merge('all'), instance())],
  ])('rise %s, whatever the clocks say', (_, next) => {
    room = instance();
    const clocks = [0, -1, -9_000, -86_400_000, 5, 5, -3_600_000, 86_400_000, 0];
    const ids = clocks.map((ms, n) => {
      room = next();
      return send(`m${n}`, room, { ...ALICE, expires_at: NOW * 2 }, NOW + ms).message_id;
    });
    expect(ids).toEqual(ids.toSorted());
    expect(new Set(ids).size).toBe(clocks.length);
    const later = reopen(sql);
    expect(ids.map((__, n) => later.messages.findSent(ALICE.user_id, `m${n}`)?.id)).toEqual(ids);
  });

  it('are as late as the clock, when it goes on', () => {
    room = instance();
    const [early, late] = [NOW, NOW + 60_000].map((now) => send(`at ${now}`, room, ALICE, now).message_id);
    const timeOf = (uuid = ''): number => Number.parseInt(uuid.replaceAll('-', '').slice(0, 12), 16);
    expect([timeOf(early), timeOf(late)]).toEqual([NOW, NOW + 60_000]);
  });
});

describe('the place of the next message', () => {
  const stored = (): unknown => sql.all('SELECT pos FROM room_state')[0]?.['pos'];

  it('is told by the messages themselves, which write no other row (G1)', () => {
    for (const text of ['a', 'b', 'c']) send(text);
    expect([stored(), reopen(sql).nextPos, reopen(sql).nextPos]).toEqual([0, 4, 4]);
  });

  it('is kept where the messages that told it are merged, whichever instance merges them', () => {
    for (let n = 0; n < DUE; n++) send(`m${n}`);
    const next = reopen(sql);
    expect([next.nextPos, next.messages.sent.recent, stored(), reopen(sql).nextPos]).toEqual([DUE + 1, 0, DUE, DUE + 1]);
    expect(send('after', next)).toMatchObject({ pos: DUE + 1 });
    expect(reopen(sql).nextPos).toBe(DUE + 2);
  });
});

describe('a room of the earlier schema', () => {
  const EARLIER_SCHEMA = `
    CREATE TABLE messages (
      id TEXT PRIMARY KEY, author_id TEXT NOT NULL, client_msg_id TEXT NOT NULL, fingerprint INTEGER, seq INTEGER NOT NULL, pos INTEGER,
      thread_id TEXT, tpos INTEGER, last_tpos INTEGER NOT NULL, deleted INTEGER NOT NULL, revision INTEGER NOT NULL, at INTEGER NOT NULL,
      UNIQUE (author_id, client_msg_id)
    ) WITHOUT ROWID;
    CREATE TABLE reactions (
      message_id TEXT NOT NULL, emoji TEXT NOT NULL, user_id TEXT NOT NULL, seq INTEGER NOT NULL,
      PRIMARY KEY (message_id, emoji, user_id)
    ) WITHOUT ROWID;
    CREATE TABLE room_state (id INTEGER PRIMARY KEY CHECK (id = 1), channel_id TEXT NOT NULL, kind TEXT NOT NULL, pos INTEGER NOT NULL);`;

  /** With so many messages of Alice's, named `m1` and so on, all of them drained. */
  function earlierRoom(count: number): SqlDriver {
    const earlier = nodeSqlite();
    earlier.run(LOG_SCHEMA + EARLIER_SCHEMA + ACCESS_SCHEMA);
    new AccessTable(earlier).setMembership(ALICE.user_id, { role: 'owner', version: 1, announced: 1 });
    EventLog.create(earlier, 1, 1, count);
    earlier.run('INSERT INTO room_state (id, channel_id, kind, pos) VALUES (1, ?, ?, ?)', CHANNEL, 'public', count);
    earlier.run(
      `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT ?)
       INSERT INTO messages SELECT printf('00000008-0000-7000-8000-%012d', n), ?, 'm' || n, ?, n, n, NULL, NULL, 0, 0, 1, ? FROM n`,
      count, ALICE.user_id, fingerprint('x', null), NOW,
    );
    return earlier;
  }

  /** The platform's bound of a parameter (Durable Objects, 2026-11). */
  const bounded = (driver: SqlDriver): SqlDriver => ({
    ...driver,
    run: (statement, ...bindings: SqlValue[]) => {
      if (bindings.some((binding) => typeof binding === 'string' && binding.length > 2_000_000)) throw new Error('string or blob too big: SQLITE_TOOBIG');
      return driver.run(statement, ...bindings);
    },
  });

  it.each([0, 3, DUE, 40_000])('with %i messages opens, keeps them, and goes on from there (G1, G2)', (count) => {
    const earlier = bounded(earlierRoom(count));
    for (const instance of [reopen(earlier), reopen(earlier)]) {
      expect([countOf('messages', earlier), countOf('sent', earlier)]).toEqual([count, count - (count % DUE)]);
      expect(instance.messages.sent.recent).toBe(count % DUE);
      for (let n = 1; n <= count; n += 37) expect(instance.messages.findSent(ALICE.user_id, `m${n}`)?.id).toBe(id(8, n));
    }
    const opened = reopen(earlier);
    expect(send('new', opened)).toMatchObject({ pos: count + 1, changed: true });
    const known = count === 0 ? [] : [1, count];
    expect(known.map((n) => send(`m${n}`, opened))).toMatchObject(known.map((pos) => ({ pos, changed: false })));
  });
});

it('a room laid before edits were indexed takes the next one as new, and knows the one after', () => {
  const { message_id } = send('a');
  const edit = (of: Conversation) => of.commit(() => must(applyCommand(of, ALICE, { type: 'edit', message_id, text: 'y' }, NOW))).value;
  expect(edit(room)).toMatchObject({ changed: true });
  sql.run('DROP TABLE edits');
  const later = reopen(sql);
  expect([edit(later), edit(later)]).toMatchObject([{ changed: true, seq: 3 }, { changed: false, seq: 3 }]);
});

describe('the standing of the channel', () => {
  it('is the newest that was told, in whichever order, and is kept (G2)', () => {
    room.setStanding({ archived: true, version: 5 });
    for (const version of [4, 5]) room.setStanding({ archived: false, version });
    expect([room.isArchived, reopen(sql).isArchived]).toEqual([true, true]);
    reopen(sql).setStanding({ archived: false, version: 6 });
    expect(reopen(sql).isArchived).toBe(false);
  });

  it('is open for a room laid before there was one, until it is told', () => {
    sql.run('DROP TABLE standing');
    const later = reopen(sql);
    expect(later.isArchived).toBe(false);
    later.setStanding({ archived: true, version: 2 });
    expect(reopen(sql).isArchived).toBe(true);
  });
});

describe('a message by its moment', () => {
  beforeEach(() => {
    const ids = new V7Generator();
    room = reopen(sql, (now) => ids.generateOrResetWithTs(now).toString());
  });

  const find = (messageId: string, seq: number | null, of = room) => of.messages.findAt(timeOfId(messageId), (seq ?? 0) % MAX_EVENTS_PER_MS)?.id;

  it('is the only one of it, though the clock stands still for more events than a millisecond holds, or goes back, and whatever is rolled back', () => {
    let [now, failures] = [NOW, 0];
    const lose = (work: () => unknown): void => {
      try {
        work();
      } catch {
        failures += 1;
      }
    };
    const sent = Array.from({ length: 5_000 }, (_, n) => {
      if (n === 2_500) now -= 60_000;
      if (n % 700 === 699) lose(() => room.commit(() => [...Array.from({ length: 400 }, (_, lost) => apply(`${n}-${lost}`, room, ALICE, now)), fail()]));
      return send(`m${n}`, room, ALICE, now);
    });
    expect(failures).toBe(7);
    for (const instance of [room, reopen(sql)]) {
      expect(sent.filter(({ message_id, seq }) => find(message_id, seq, instance) !== message_id)).toEqual([]);
    }
    const stamps = new Set(sent.map(({ message_id, seq }) => `${timeOfId(message_id)} ${(seq ?? 0) % MAX_EVENTS_PER_MS}`));
    expect(stamps.size).toBe(sent.length);
    expect(timeOfId(sent.at(-1)?.message_id ?? '') - NOW).toBeLessThan(10);
  });

  it('is none where the millisecond or the remainder is another', () => {
    const { message_id, seq } = send('only');
    const ms = timeOfId(message_id);
    expect([room.messages.findAt(ms, seq ?? 0)?.id, room.messages.findAt(ms + 1, seq ?? 0), room.messages.findAt(ms, (seq ?? 0) + 1), room.messages.findAt(0, 0)]).toEqual([message_id, undefined, undefined, undefined]);
  });
});
