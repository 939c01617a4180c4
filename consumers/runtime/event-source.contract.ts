import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { takeBatch, type Taken } from './batch.ts';
import { InfrastructureError } from './classify.ts';
import type { BatchHandler, EventSource } from './event-source.ts';
import type { ConsumerGroup } from './group.ts';
import { groupService } from './group-runner.ts';
import { ledgerGroup, type LedgerFaults, readLedger } from './ledger.fixture.ts';
import { RestartableSource } from './restartable-source.ts';
import { totalLag } from './stream-lag.ts';
import { createWatchdog } from './watchdog.ts';

/** What the suite needs of a transport. Its records come from `event_log` in either case. */
export interface SourceHarness {
  readonly sql: Sql;
  /** A new instance of the group's source, as another process would have it. Small batches. */
  createSource(group: ConsumerGroup<ChannelEvent>): EventSource;
  /** Appends events `from` to `to` of a key in one transaction of `sql`. */
  append(sql: Sql, key: string, from: number, to: number): Promise<void>;
  /** Appends in a transaction that stays open until `commit` is called. */
  appendLate(key: string, from: number, to: number): Promise<{ commit(): Promise<void> }>;
  /** Makes the transport bring everything once more. */
  redeliver(groupId: string): Promise<void>;
  eventually(isTrue: () => Promise<boolean>, describe?: () => unknown): Promise<void>;
}

const chance = { now: () => new Date(), random: () => 0.5 };
const log = pino({ level: 'silent' });
type Seqs = ReadonlyMap<string, readonly number[]>;
const count = (seqs: Seqs): number => [...seqs.values()].flat().length;
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

/** One suite for every `EventSource`, with the batch transaction on it. */
export function describeEventSource(name: string, getHarness: () => SourceHarness): void {
  describe(`EventSource: ${name}`, () => {
    const open = new Set<{ stop(): Promise<void> }>();
    const taken: Taken[] = [];
    /** A transport may remember groups longer than a database of a test lives. */
    const run = randomUUID();
    const group = (id: string): string => `${id}-${run}`;

    afterEach(async () => {
      await Promise.all([...open].map((one) => one.stop()));
      open.clear();
      taken.length = 0;
    });

    function start(groupId: string, faults?: LedgerFaults) {
      const ledger = ledgerGroup(groupId, faults);
      const source = getHarness().createSource(ledger);
      const service = groupService(ledger, source, { sql: getHarness().sql, log, chance, onTaken: (_, one) => taken.push(one) });
      open.add(service);
      return { service, done: service.run() };
    }

    /** Runs a source with a handler of the test's own around the batch transaction. */
    function startWith(groupId: string, wrap: (handler: BatchHandler) => BatchHandler) {
      const ledger = ledgerGroup(groupId);
      const source = getHarness().createSource(ledger);
      open.add(source);
      const take: BatchHandler = async (batch) => ((await takeBatch(getHarness().sql, ledger, batch, chance)) === null ? 'stale' : 'taken');
      return { source, done: source.run(wrap(take)) };
    }

    /** What the group took of these keys, as soon as it is that much. */
    async function takenBy(groupId: string, expected: Seqs): Promise<Seqs> {
      const { sql, eventually } = getHarness();
      let ledger: Seqs = new Map();
      await eventually(
        async () => {
          ledger = new Map([...(await readLedger(sql, groupId))].filter(([key]) => expected.has(key)));
          return count(ledger) >= count(expected);
        },
        () => [...ledger],
      );
      return ledger;
    }

    it('G2, G3: hands every record over once, each key in order', async () => {
      const { append, sql } = getHarness();
      const keys = Array.from({ length: 7 }, () => randomUUID());
      const { service } = start(group('once'));
      for (const round of [0, 1, 2, 3]) await Promise.all(keys.map((key) => append(sql, key, round * 10 + 1, round * 10 + 10)));
      const expected = new Map(keys.map((key) => [key, upTo(40)]));
      expect(await takenBy(group('once'), expected)).toEqual(expected);
      await service.drain();
    });

    it('G3, G7: goes on where a drained instance left off, and where a stopped one did', async () => {
      const { append, sql } = getHarness();
      const key = randomUUID();
      await append(sql, key, 1, 25);
      const first = start(group('resume'));
      let expected: Seqs = new Map([[key, upTo(25)]]);
      expect(await takenBy(group('resume'), expected)).toEqual(expected);
      await first.service.drain();
      await first.done;
      await append(sql, key, 26, 60);
      const second = start(group('resume'));
      await second.service.stop();
      const third = start(group('resume'));
      await append(sql, key, 61, 80);
      expected = new Map([[key, upTo(80)]]);
      expect(await takenBy(group('resume'), expected)).toEqual(expected);
      await third.service.drain();
    });

    it('G2: a failure between the effect and its commit leaves neither, and the batch comes again', async () => {
      const { append, sql } = getHarness();
      const key = randomUUID();
      let failures = 2;
      start(group('between'), {
        after: () => {
          if (failures-- > 0) throw new InfrastructureError('cut off before the commit');
        },
      });
      await append(sql, key, 1, 30);
      const expected = new Map([[key, upTo(30)]]);
      expect(await takenBy(group('between'), expected)).toEqual(expected);
      expect(failures).toBeLessThan(0);
    });

    it('G2: a commit whose answer is lost is not applied twice', async () => {
      const { append, sql } = getHarness();
      const key = randomUUID();
      let lost = 3;
      startWith(group('answer-lost'), (take) => async (batch) => {
        const outcome = await take(batch);
        if (lost-- > 0) throw new Error('the answer is lost');
        return outcome;
      });
      await append(sql, key, 1, 30);
      const expected = new Map([[key, upTo(30)]]);
      expect(await takenBy(group('answer-lost'), expected)).toEqual(expected);
      expect(lost).toBeLessThan(0);
    });

    it('G1, G3: does not lose what commits late', async () => {
      const { append, appendLate, sql } = getHarness();
      const [late, early] = [randomUUID(), randomUUID()];
      const { service } = start(group('late'));
      const open = await appendLate(late, 1, 5);
      await append(sql, early, 1, 20);
      let expected: Seqs = new Map([[early, upTo(20)]]);
      expect(await takenBy(group('late'), expected)).toEqual(expected);
      await open.commit();
      await append(sql, late, 6, 10);
      expected = new Map([[early, upTo(20)], [late, upTo(10)]]);
      expect(await takenBy(group('late'), expected)).toEqual(expected);
      await service.drain();
    });

    it('G2: records that come again are not applied again', async () => {
      const { append, redeliver, eventually, sql } = getHarness();
      const key = randomUUID();
      const { service, done } = start(group('again'));
      await append(sql, key, 1, 30);
      let expected: Seqs = new Map([[key, upTo(30)]]);
      expect(await takenBy(group('again'), expected)).toEqual(expected);
      await service.drain();
      await done;
      taken.length = 0;
      await redeliver(group('again'));
      start(group('again'));
      await append(sql, key, 31, 40);
      expected = new Map([[key, upTo(40)]]);
      expect(await takenBy(group('again'), expected)).toEqual(expected);
      await eventually(async () => taken.reduce((sum, { duplicates }) => sum + duplicates, 0) >= 30);
    });

    it('G2: of two instances each record is taken by one, and the other takes over', async () => {
      const { append, sql } = getHarness();
      const keys = Array.from({ length: 6 }, () => randomUUID());
      const first = start(group('two'));
      start(group('two'));
      await Promise.all(keys.map((key) => append(sql, key, 1, 20)));
      let expected: Seqs = new Map(keys.map((key) => [key, upTo(20)]));
      expect(await takenBy(group('two'), expected)).toEqual(expected);
      await first.service.stop();
      await Promise.all(keys.map((key) => append(sql, key, 21, 40)));
      expected = new Map(keys.map((key) => [key, upTo(40)]));
      expect(await takenBy(group('two'), expected)).toEqual(expected);
    });

    it('counts what is not taken yet', async () => {
      const { append, createSource, eventually, sql } = getHarness();
      const idle = createSource(ledgerGroup(group('lag')));
      const lag = async (): Promise<number> => totalLag(await idle.lag());
      const before = await lag();
      await append(sql, randomUUID(), 1, 12);
      await eventually(async () => (await lag()) >= before + 12);
      expect(await lag()).toBe(before + 12);
      start(group('lag'));
      await eventually(async () => (await lag()) === 0);
      expect((await idle.lag()).some(({ takenAt, cursor }) => takenAt !== null && cursor !== null)).toBe(true);
    });

    it('G1, G2: the watchdog leaves a source behind that hangs in its handler, and another instance takes all it had', async () => {
      const { append, createSource, eventually, sql } = getHarness();
      const [key, id] = [randomUUID(), group('hung')];
      const ledger = ledgerGroup(id);
      const source = new RestartableSource(() => createSource(ledger));
      const stalls: string[] = [];
      const watchdog = createWatchdog({
        groups: [{ id, source, actedAt: () => null }], log, now: Date.now, onStalled: (stalled) => stalls.push(stalled), stallMs: 1_500, lookEveryMs: 200,
      });
      open.add(source).add(watchdog);
      const hung = Promise.withResolvers<void>();
      let calls = 0;
      void source.run(async (batch) => {
        calls += 1;
        if (calls === 2) await hung.promise;
        return (await takeBatch(sql, ledger, batch, chance)) === null ? 'stale' : 'taken';
      });
      void watchdog.run();
      await append(sql, key, 1, 40);
      let expected: Seqs = new Map([[key, upTo(40)]]);
      expect(await takenBy(id, expected)).toEqual(expected);
      expect(stalls).not.toEqual([]);
      hung.resolve();
      await append(sql, key, 41, 50);
      expected = new Map([[key, upTo(50)]]);
      expect(await takenBy(id, expected)).toEqual(expected);
      await eventually(async () => totalLag(await source.lag()) === 0);
      await watchdog.drain();
      await source.drain();
    });

    it('a drain ends although the source has only begun', async () => {
      const { source, done } = startWith(group('begun'), (take) => take);
      const begun = Date.now();
      await source.drain();
      await done;
      expect(Date.now() - begun).toBeLessThan(8_000);
    });
  });
}
