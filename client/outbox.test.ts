import { describe, expect, it } from 'vitest';
import { problemDocument, type ErrorCode } from '../protocol/errors.ts';
import type { CommandResult } from '../protocol/frames.ts';
import { seedsOfRun } from '../tests/support/seed.ts';
import { ClosedError, NetworkError, ProblemError, QueueFullError } from './errors.ts';
import { Outbox } from './outbox.ts';
import { type Owner, soleOwner } from './ports.ts';
import { memoryStore } from './stores/memory.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';
import { integer, seededRandom } from './testing/random.ts';

const problem = (code: ErrorCode) => new ProblemError(problemDocument({ code }));
const done = (seq: number | null): CommandResult => ({ message_id: `m${seq}`, seq, pos: seq, thread_id: null, tpos: null, at: 'now', changed: true });

let lastSetup = 0;

/** An outbox whose sends are answered by `answer`, called with the text and how often that text was sent before. */
function setup(answer: (text: string, again: number) => Promise<CommandResult>, store = memoryStore(), clock = new FakeClock(), owner: Owner = soleOwner) {
  lastSetup += 1;
  const run = lastSetup;
  const sends: string[] = [];
  let ids = 0;
  let known = 0;
  const outbox = new Outbox({
    send: ({ text }) => {
      sends.push(text);
      return answer(text, sends.filter((other) => other === text).length - 1);
    },
    changed: () => {},
    knownSeq: () => known,
    store,
    prefix: 'outbox.',
    owner,
    newId: () => `c${(ids += 1)} of ${run}`,
    clock,
    random: () => 0.5,
  });
  const states = () => outbox.entries.map(({ text, state }) => `${text} ${state}`);
  return { outbox, sends, states, store, clock, know: (seq: number) => (known = seq) };
}

const never = () => new Promise<CommandResult>(() => {});

describe('an outbox', () => {
  it('G3: sends one message at a time, in order', async () => {
    const answers: ((result: CommandResult) => void)[] = [];
    const { outbox, sends, states } = setup(() => new Promise((resolve) => answers.push(resolve)));
    outbox.add('one', null);
    outbox.add('two', 'root');
    await settle();
    expect(states()).toEqual(['one sending', 'two queued']);
    expect(sends).toEqual(['one']);
    answers[0]?.(done(1));
    await settle();
    expect(states()).toEqual(['one sent', 'two sending']);
    outbox.applied(1, new Set());
    expect(states()).toEqual(['two sending']);
  });

  it('G2: repeats an unclear send under the same id, and keeps the order meanwhile', async () => {
    const { outbox, sends, clock, states } = setup((text, again) => (text === 'one' && again < 2 ? Promise.reject(new NetworkError('away')) : Promise.resolve(done(7))));
    outbox.add('one', null);
    outbox.add('two', null);
    await clock.advance(60_000);
    expect(sends).toEqual(['one', 'one', 'one', 'two']);
    expect(states()).toEqual(['one sent', 'two sent']);
  });

  it('sends what was confirmed once more, under its id, where the log began anew before it was seen (G1, G2)', async () => {
    const { outbox, sends, states, store } = setup((text, again) => Promise.resolve(done(text === 'one' && again > 0 ? 2 : 10)));
    outbox.add('one', null);
    await settle();
    const [entry] = outbox.entries;
    outbox.resend();
    expect([outbox.entries[0]?.client_msg_id, states()]).toEqual([entry?.client_msg_id, ['one queued']]);
    await settle();
    expect([sends, states()]).toEqual([['one', 'one'], ['one sent']]);
    outbox.applied(2, new Set());
    expect([states(), await store.entries('outbox.')]).toEqual([[], []]);
  });

  it('waits as long as the server asks', async () => {
    const busy = new ProblemError(problemDocument({ code: 'rate_limited', retry_after: 20 }));
    const { outbox, sends, clock } = setup((_, again) => (again === 0 ? Promise.reject(busy) : Promise.resolve(done(1))));
    outbox.add('one', null);
    await clock.advance(19_999);
    expect(sends).toHaveLength(1);
    await clock.advance(1);
    expect(sends).toHaveLength(2);
  });

  it('fails a refused message, goes on with the next, and takes it up again on demand', async () => {
    const { outbox, sends, states } = setup((text, again) => (text === 'bad' && again === 0 ? Promise.reject(problem('invalid')) : Promise.resolve(done(3))));
    const bad = outbox.add('bad', null);
    outbox.add('good', null);
    await settle();
    expect(states()).toEqual(['bad failed', 'good sent']);
    expect(outbox.entries[0]?.reason).toBe('The request does not match its schema');
    outbox.retry(bad.client_msg_id);
    await settle();
    expect(sends).toEqual(['bad', 'good', 'bad']);
    expect(outbox.entries.map(({ text }) => text)).toEqual(['good', 'bad']);
    expect(outbox.entries[1]?.client_msg_id).toBe(bad.client_msg_id);
  });

  it('G8: gives up after five attempts, and holds at most 100 messages', async () => {
    const { outbox, sends, clock, states } = setup(() => Promise.reject(problem('unavailable')));
    outbox.add('one', null);
    await clock.advance(600_000);
    expect(sends).toHaveLength(5);
    expect(states()).toEqual(['one failed']);
    for (let i = 1; i < 100; i += 1) outbox.add('more', null);
    expect(() => outbox.add('too much', null)).toThrow(QueueFullError);
  });

  it('discards what is not on its way', async () => {
    const { outbox, states, store } = setup(never);
    const one = outbox.add('one', null);
    const two = outbox.add('two', null);
    await settle();
    outbox.discard(one.client_msg_id);
    outbox.discard(two.client_msg_id);
    await settle();
    expect(states()).toEqual(['one sending']);
    expect(await store.entries('')).toHaveLength(1);
  });

  it('lets go of a message whose event came before its result, or whose event is long known', async () => {
    const answers: ((result: CommandResult) => void)[] = [];
    const { outbox, know } = setup(() => new Promise((resolve) => answers.push(resolve)));
    const { client_msg_id } = outbox.add('one', null);
    await settle();
    outbox.applied(1, new Set([client_msg_id]));
    expect(outbox.entries).toEqual([]);
    answers[0]?.(done(1));
    await settle();
    outbox.add('two', null);
    await settle();
    know(9);
    answers[1]?.(done(8));
    await settle();
    expect(outbox.entries).toEqual([]);
  });

  it('G2: finds unsent messages again after a restart, in order, and sends old ones only when asked', async () => {
    const first = setup(never);
    first.outbox.add('old', null);
    await first.clock.advance(11 * 60_000);
    first.outbox.add('one', 'root');
    first.outbox.add('two', null);
    await settle();
    first.outbox.stop();
    await first.store.set('outbox.broken', '{');
    const inNoOrder = { ...first.store, entries: async (prefix: string) => (await first.store.entries(prefix)).toReversed() };
    const answers: (() => void)[] = [];
    const second = setup(() => new Promise((resolve) => answers.push(() => resolve(done(null)))), inNoOrder, first.clock);
    second.outbox.start();
    second.outbox.add('three', null);
    await settle();
    expect(second.states()).toEqual(['old failed', 'one sending', 'two queued', 'three queued']);
    for (let i = 0; i < 3; i += 1) {
      answers[i]?.();
      await settle();
    }
    expect(second.sends).toEqual(['one', 'two', 'three']);
    expect(second.states()).toEqual(['old failed']);
  });

  it('G2: leaves what another page of the user sends to that page, and takes it over once that page is gone', async () => {
    const store = memoryStore();
    const clock = new FakeClock();
    const gone = new Set<string>();
    const page = (id: string): Owner => ({
      id,
      inherit: async (other, take) => {
        if (!gone.delete(other)) return;
        await take();
        gone.add(other);
      },
    });
    const first = setup(never, store, clock, page('first'));
    first.outbox.add('one', null);
    await settle();
    const second = setup(async () => done(null), store, clock, page('second'));
    second.outbox.start();
    await settle();
    expect(second.outbox.entries).toEqual([]);
    gone.add('first');
    const third = setup(never, store, clock, page('third'));
    second.outbox.start();
    third.outbox.start();
    await settle();
    expect([second.sends, third.sends]).toEqual([['one'], []]);
    expect(await store.entries('')).toEqual([]);
  });

  it('does not take over again what it has just sent', async () => {
    const { outbox, sends } = setup(async () => done(null));
    outbox.add('one', null);
    outbox.start();
    await settle();
    outbox.start();
    await settle();
    expect(sends).toEqual(['one']);
  });

  it('sends without a store that works', async () => {
    const broken = { entries: () => Promise.reject(new Error('no')), set: () => Promise.reject(new Error('no')), remove: () => Promise.reject(new Error('no')) };
    const { outbox, sends } = setup(async () => done(null), broken);
    outbox.start();
    outbox.add('one', null);
    await settle();
    expect(sends).toEqual(['one']);
  });

  it('leaves a message in the store when it is stopped before the answer', async () => {
    const { promise, reject: lose } = Promise.withResolvers<CommandResult>();
    const { outbox, store } = setup(() => promise);
    outbox.add('one', null);
    await settle();
    outbox.stop();
    lose(new ClosedError('stopped'));
    await settle();
    expect(outbox.entries[0]?.state).toBe('sending');
    expect(await store.entries('outbox.')).toHaveLength(1);
  });

  it('G2 G3: any pattern of losses gives each message once, in order, where the room remembers ids', async () => {
    for (const seed of seedsOfRun(50)) {
      const random = seededRandom(seed);
      const room: string[] = [];
      const { outbox, clock } = setup(async (text, again) => {
        // Whose fifth attempt is lost, too, has failed and waits for its author.
        const isLost = (): boolean => again < 4 && random() < 0.1;
        if (isLost()) throw new NetworkError('lost before');
        if (!room.includes(text)) room.push(text);
        if (isLost()) throw new NetworkError('lost after');
        return done(room.indexOf(text) + 1);
      });
      const texts = Array.from({ length: 10 }, (_, i) => `text ${i}`);
      for (const text of texts) {
        outbox.add(text, null);
        await clock.advance(integer(random, 400));
      }
      await clock.advance(600_000);
      expect(outbox.entries.map(({ state }) => state), `seed ${seed}`).toEqual(texts.map(() => 'sent'));
      expect(room, `seed ${seed}`).toEqual(texts);
    }
  });
});
