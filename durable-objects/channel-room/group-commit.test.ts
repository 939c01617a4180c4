import { beforeEach, describe, expect, it } from 'vitest';
import type { Command } from '../../protocol/frames.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, BOB, CHANNEL, conversation, EVE, logged, must, NOW, reopen } from '../../tests/support/room-core.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import type { Conversation } from './conversation.ts';
import { GroupCommit } from './group-commit.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { ActorCommand } from './room-api.ts';

const by = (actor: Actor, command: Command): ActorCommand => ({ actor, command });
const send = (client_msg_id: string, text = 'x'): Command => ({ type: 'send', client_msg_id, text });

let sql: SqlDriver;
let room: Conversation;
let now: number;
let timers: { ms: number; task: () => void }[];
let groups: number[][];
let failures: unknown[];
let commits: GroupCommit;

beforeEach(() => {
  sql = nodeSqlite();
  room = conversation({ sql });
  [now, timers, groups, failures] = [NOW, [], [], []];
  commits = commitsOf(room);
});

const commitsOf = (of: Conversation): GroupCommit =>
  new GroupCommit(of, {
    clock: () => now,
    schedule: (ms, task) => void timers.push({ ms, task }),
    committed: (events) => void groups.push(events.map(({ seq }) => seq)),
    failed: (error) => void failures.push(error),
  });

function tick(): void {
  for (const { task } of timers.splice(0)) task();
}

describe('GroupCommit', () => {
  it('commits a lone command in its own turn', async () => {
    const outcome = commits.execute(ALICE, send('a'));
    expect(groups).toEqual([[1]]);
    expect(must(await outcome).seq).toBe(1);
    expect(timers).toEqual([]);
  });

  it('gathers what comes within 2 ms of a commit into one', async () => {
    const outcomes = ['a', 'b', 'c', 'd'].map((name) => commits.execute(ALICE, send(name)));
    expect(groups).toEqual([[1]]);
    expect(timers.map(({ ms }) => ms)).toEqual([2]);
    tick();
    expect(groups).toEqual([[1], [2, 3, 4]]);
    expect((await Promise.all(outcomes)).map((outcome) => must(outcome).seq)).toEqual([1, 2, 3, 4]);
  });

  it('does not wait for the timer once a group is full', () => {
    void commits.execute(ALICE, send('first'));
    for (let n = 0; n < 500; n++) void commits.execute(ALICE, send(`m${n}`));
    expect(groups.map(({ length }) => length)).toEqual([1, 500]);
  });

  it('gives each command of a group its own outcome', async () => {
    void commits.execute(ALICE, send('first'));
    const outcomes = [commits.execute(EVE, send('a')), commits.execute(BOB, send('b')), commits.execute(ALICE, send('first', 'other'))];
    tick();
    expect(await Promise.all(outcomes)).toMatchObject([
      { problem: { code: 'not_a_member' } },
      { ok: { seq: 2 } },
      { problem: { code: 'idempotency_mismatch' } },
    ]);
  });

  it('knows a repetition within the same group (G2)', async () => {
    void commits.execute(ALICE, send('first'));
    const outcomes = [commits.execute(BOB, send('a')), commits.execute(BOB, send('a'))];
    tick();
    expect((await Promise.all(outcomes)).map((outcome) => must(outcome))).toMatchObject([{ seq: 2, changed: true }, { seq: 2, changed: false }]);
  });

  it('announces nothing where nothing was appended', async () => {
    await commits.execute(EVE, send('a'));
    expect(groups).toEqual([]);
  });

  it('does all of a batch, in order', async () => {
    const results = must(await commits.executeBatch(ALICE, [send('a'), send('b'), send('c')]));
    expect(results.map(({ pos }) => pos)).toEqual([1, 2, 3]);
    expect(groups).toEqual([[1, 2, 3]]);
  });

  it('does none of a batch of which one is refused, and says which', async () => {
    must(await commits.execute(ALICE, send('known')));
    const batch = commits.executeBatch(ALICE, [send('a'), send('b'), send('known', 'other')]);
    const neighbour = commits.execute(BOB, send('c'));
    tick();
    expect(await batch).toEqual({ problem: { code: 'idempotency_mismatch', errors: [{ pointer: '/messages/2', detail: 'idempotency_mismatch' }] } });
    expect(must(await neighbour)).toMatchObject({ seq: 2, pos: 2 });
    expect(logged(room).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(reopen(sql).log.state).toEqual(room.log.state);
  });

  it('knows a batch that was done before (G2)', async () => {
    await commits.executeBatch(ALICE, [send('a'), send('b')]);
    const again = commits.executeBatch(ALICE, [send('a'), send('b'), send('c')]);
    tick();
    expect(must(await again)).toMatchObject([{ seq: 1, changed: false }, { seq: 2, changed: false }, { seq: 3, changed: true }]);
  });

  it('rolls back and answers alone the command at which the store fails', async () => {
    must(await commits.execute(ALICE, send('a')));
    sql.run(`CREATE TRIGGER fault BEFORE INSERT ON messages WHEN new.client_msg_id = 'bad' BEGIN SELECT raise(ABORT, 'fault'); END`);
    const outcomes = ['b', 'bad', 'c'].map((name) => commits.execute(ALICE, send(name)));
    tick();
    expect(await Promise.all(outcomes)).toMatchObject([{ ok: { seq: 2, pos: 2 } }, { problem: { code: 'internal' } }, { ok: { seq: 3, pos: 3 } }]);
    expect(failures).toHaveLength(1);
    expect(groups).toEqual([[1], [2], [3]]);
    expect(reopen(sql).log.state).toEqual(room.log.state);
  });

  it('continues its counters after it was opened again (G1)', async () => {
    must(await commits.execute(ALICE, send('a')));
    const later = commitsOf(reopen(sql));
    expect(must(await later.execute(ALICE, send('a')))).toMatchObject({ seq: 1, changed: false });
    now += 10;
    expect(must(await later.execute(ALICE, send('b')))).toMatchObject({ seq: 2, pos: 2 });
  });

  it('frees the client_msg_ids of a batch that was refused (G2)', async () => {
    must(await commits.execute(ALICE, send('known')));
    const refused = commits.executeBatch(ALICE, [send('a'), send('b'), send('known', 'other')]);
    const neighbour = commits.execute(ALICE, send('b', 'by itself'));
    tick();
    expect([await refused, must(await neighbour)]).toMatchObject([{ problem: { code: 'idempotency_mismatch' } }, { seq: 2, changed: true }]);
    now += 10;
    expect(must(await commits.executeBatch(ALICE, [send('a', 'anew'), send('c')]))).toMatchObject([{ seq: 3, changed: true }, { seq: 4, changed: true }]);
    expect(must(await commitsOf(reopen(sql)).execute(ALICE, send('a', 'anew')))).toMatchObject({ seq: 3, changed: false });
  });
});

describe('executeEach', () => {
  const names = (count: number): ActorCommand[] => Array.from({ length: count }, (_, n) => by(ALICE, send(`m${n}`)));

  it('gives each its own outcome, in order; a refusal undoes no other', async () => {
    must(await commits.execute(ALICE, send('known')));
    const outcomes = await commits.executeEach([
      by(ALICE, send('a')), by(EVE, send('b')), by(BOB, send('a')), by(ALICE, send('known', 'other')), by(ALICE, send('known')),
      by(BOB, { type: 'delete', message_id: CHANNEL }), by(BOB, send('a')), by(ALICE, send('c')),
    ]);
    expect(outcomes).toMatchObject([
      { ok: { seq: 2, changed: true } }, { problem: { code: 'not_a_member' } }, { ok: { seq: 3, changed: true } },
      { problem: { code: 'idempotency_mismatch' } }, { ok: { seq: 1, changed: false } },
      { problem: { code: 'not_found' } }, { ok: { seq: 3, changed: false } }, { ok: { seq: 4, changed: true } },
    ]);
    expect(groups).toEqual([[1], [2, 3, 4]]);
    expect(logged(reopen(sql)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  it('commits eight at once, and with them what waits', async () => {
    void commits.execute(ALICE, send('first'));
    const waiting = commits.execute(ALICE, send('waiting'));
    const outcomes = commits.executeEach(names(8));
    expect(groups).toEqual([[1], [2, 3, 4, 5, 6, 7, 8, 9, 10]]);
    expect([await waiting, ...(await outcomes)].map((outcome) => must(outcome).seq)).toEqual(groups[1]);
    tick();
    expect(groups).toHaveLength(2);
  });

  it('leaves fewer to the group after a commit, and commits them in their own turn otherwise', async () => {
    const first = commits.executeEach(names(1));
    expect(groups).toEqual([[1]]);
    const few = commits.executeEach(names(8).slice(1));
    const neighbour = commits.execute(BOB, send('b'));
    expect([groups, timers.map(({ ms }) => ms)]).toEqual([[[1]], [2]]);
    tick();
    expect(groups).toEqual([[1], [2, 3, 4, 5, 6, 7, 8, 9]]);
    expect([...(await first), ...(await few), await neighbour].map((outcome) => must(outcome).seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('answers alone the command at which the store fails, and knows the others (G2)', async () => {
    sql.run(`CREATE TRIGGER fault BEFORE INSERT ON messages WHEN new.client_msg_id = 'm3' BEGIN SELECT raise(ABORT, 'fault'); END`);
    const outcomes = await commits.executeEach(names(8));
    expect(outcomes.map((outcome) => ('ok' in outcome ? outcome.ok.seq : outcome.problem.code))).toEqual([1, 2, 3, 'internal', 4, 5, 6, 7]);
    expect(failures).toHaveLength(1);
    sql.run('DROP TRIGGER fault');
    const again = await commits.executeEach(names(8));
    expect(again.map((outcome) => must(outcome))).toMatchObject([1, 2, 3, 8, 4, 5, 6, 7].map((seq) => ({ seq, changed: seq === 8 })));
  });

  it('of nothing answers nothing', async () => {
    expect(await commits.executeEach([])).toEqual([]);
    expect(groups).toEqual([]);
  });
});
