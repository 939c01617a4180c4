import { beforeEach, describe, expect, it } from 'vitest';
import type { Outcome } from '../../protocol/errors.ts';
import type { CommandResult } from '../../protocol/frames.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, BOB, conversation, must, NOW, reopen } from '../../tests/support/room-core.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { applyCommand } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { EDIT_WINDOW_KNOWN_MS, EditWindow, EditWindowLookup } from './edit-window.ts';

let sql: SqlDriver;
let room: Conversation;
beforeEach(() => {
  sql = nodeSqlite();
  room = conversation({ sql });
});

const send = (): string => must(room.commit(() => applyCommand(room, ALICE, { type: 'send', client_msg_id: `m${room.nextSeq}`, text: 'x' }, NOW)).value).message_id;
const edit = (message_id: string, text: string, after: number, actor = ALICE): Outcome<CommandResult> =>
  room.commit(() => applyCommand(room, actor, { type: 'edit', message_id, text }, NOW + after)).value;
const codeOf = (outcome: Outcome<CommandResult>): string | null => ('problem' in outcome ? outcome.problem.code : null);

describe('an edit', () => {
  it('is taken until its window is over: 15 minutes, where nobody said otherwise', () => {
    const message = send();
    expect([edit(message, 'y', 899_999), edit(message, 'z', 900_000)].map(codeOf)).toEqual([null, 'edit_window_over']);
    expect(codeOf(edit(message, 'z', 900_000, BOB))).toBe('forbidden');
  });

  it('that is repeated after the window gets its first answer (G2, P22)', () => {
    const message = send();
    const first = must(edit(message, 'y', 1_000));
    expect(must(edit(message, 'y', 2_000_000))).toMatchObject({ seq: first.seq, changed: false });
    expect(codeOf(edit(message, 'x', 2_000_000))).toBe('edit_window_over');
  });

  it.each([[0, 0, 'edit_window_over'], [60, 59_999, null], [60, 60_000, 'edit_window_over'], [null, 10 ** 11, null]] as const)('with a window of %s s, %i ms later: %s', (seconds, after, code) => {
    room.editWindow.learn(seconds);
    const message = send();
    expect(codeOf(edit(message, 'y', after, { ...ALICE, expires_at: Number.MAX_SAFE_INTEGER }))).toBe(code);
  });

  it('does not hold up deleting', () => {
    room.editWindow.learn(0);
    const message_id = send();
    expect(must(room.commit(() => applyCommand(room, ALICE, { type: 'delete', message_id }, NOW + 3_000_000)).value).changed).toBe(true);
  });

  it('is judged by what an earlier instance has learned', () => {
    room.editWindow.learn(null);
    expect(reopen(sql).editWindow.seconds).toBeNull();
    room.editWindow.learn(30);
    expect(reopen(sql).editWindow.seconds).toBe(30);
  });
});

describe('the setting', () => {
  let now: number;
  let asked: ((seconds: number | Error) => void)[];
  let late: (() => void)[];
  let lookup: EditWindowLookup;
  let known: EditWindow;
  beforeEach(() => {
    [now, asked, late] = [NOW, [], []];
    known = new EditWindow(sql);
    lookup = new EditWindowLookup(known, {
      clock: () => now,
      schedule: (_, task) => void late.push(task),
      asking: () => {},
      read: () => new Promise((resolve, reject) => asked.push((seconds) => (typeof seconds === 'number' ? resolve(seconds) : reject(seconds)))),
    });
  });

  it('is asked for by the first that edits, once for all who wait, and is then known for a minute', async () => {
    const waiting = Promise.all([lookup.refresh(), lookup.refresh()]);
    asked[0]?.(60);
    await waiting;
    expect([asked.length, known.seconds, lookup.isDue]).toEqual([1, 60, false]);
    now += EDIT_WINDOW_KNOWN_MS - 1;
    await lookup.refresh();
    expect([asked.length, lookup.isDue]).toEqual([1, false]);
    now += 1;
    expect(lookup.isDue).toBe(true);
  });

  it('is what it was where Postgres is away, and nobody asks again for 5 s', async () => {
    known.learn(60);
    const waiting = lookup.refresh();
    asked[0]?.(new Error('away'));
    await waiting;
    now += 4_999;
    await lookup.refresh();
    expect([asked.length, known.seconds]).toEqual([1, 60]);
    now += 1;
    void lookup.refresh();
    expect(asked.length).toBe(2);
  });

  it('is not waited for when Postgres is slow, and counts once it is there (G8)', async () => {
    const waiting = lookup.refresh();
    late[0]?.();
    await waiting;
    expect(known.seconds).toBe(900);
    asked[0]?.(5);
    await expect.poll(() => known.seconds).toBe(5);
  });
});
