import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Crowd, type CrowdSpec, type CrowdState, type Reach, type Talk, type TalkSpec } from './crowd.ts';
import { clock } from './timestamps.ts';

/** Crowds in threads, as one. */
export interface Crowds {
  readonly sockets: number;
  /** `senders` and `perSecond` are those of all together. */
  talk(spec: TalkSpec): Promise<Talk>;
  /** One reach a path. */
  settle(targets: readonly number[], withinMs: number): Promise<readonly Reach[]>;
  latencies(): Promise<Float64Array>;
  answerTimes(): Promise<Float64Array>;
  lastArrival(name: string, withinMs: number): Promise<number | null>;
  state(): Promise<CrowdState>;
  close(): Promise<void>;
}

type Call =
  | { readonly op: 'open' | 'state' | 'latencies' | 'answerTimes' | 'close' }
  | { readonly op: 'talk'; readonly spec: TalkSpec }
  | { readonly op: 'settle'; readonly targets: readonly number[]; readonly deadline: number }
  | { readonly op: 'lastArrival'; readonly name: string; readonly deadline: number };
type Answer = { readonly n: number; readonly ok: unknown } | { readonly n: number; readonly failure: string };

/** Opens all sockets, in so many threads. */
export async function openCrowds(spec: CrowdSpec, threads: number): Promise<Crowds> {
  const share = Math.ceil(spec.sockets / threads / spec.paths.length) * spec.paths.length;
  const crowds = Array.from({ length: threads }, (_, n) =>
    new CrowdThread({ ...spec, sockets: Math.min(share, spec.sockets - n * share), name: `${spec.name}-${n}`, tokens: rotated(spec.tokens, (n * share) / spec.paths.length) }),
  );
  const each = <T>(call: Call | ((n: number) => Call)): Promise<T[]> => Promise.all(crowds.map((crowd, n) => crowd.call<T>(typeof call === 'function' ? call(n) : call)));
  await each({ op: 'open' });
  return {
    sockets: spec.sockets,
    talk: async (talk) => sumTalks(await each((n) => ({ op: 'talk', spec: shareOf(talk, n, threads) }))),
    settle: async (targets, withinMs) => widest(await each({ op: 'settle', targets, deadline: clock() + withinMs })),
    latencies: async () => joined(await each<Float64Array>({ op: 'latencies' })),
    answerTimes: async () => joined(await each<Float64Array>({ op: 'answerTimes' })),
    lastArrival: async (name, withinMs) => latest(await each({ op: 'lastArrival', name, deadline: clock() + withinMs })),
    state: async () => sumStates(await each({ op: 'state' })),
    close: async () => {
      await each({ op: 'close' });
      await Promise.all(crowds.map((crowd) => crowd.end()));
    },
  };
}

const rotated = (tokens: readonly string[], by: number): string[] => tokens.map((_, index) => tokens[(index + by) % tokens.length] ?? '');

const shareOf = (talk: TalkSpec, n: number, threads: number): TalkSpec => ({
  ...talk,
  senders: Math.ceil(talk.senders / threads),
  perSecond: talk.perSecond === null ? null : talk.perSecond / threads,
  phase: n / threads,
});

export function sumTalks(talks: readonly Talk[]): Talk {
  const sum = (key: keyof Talk): number => talks.reduce((total, talk) => total + talk[key], 0);
  return {
    acknowledged: sum('acknowledged'),
    measured: sum('measured'),
    refused: sum('refused'),
    deliveries: sum('deliveries'),
    lastSeq: Math.max(...talks.map(({ lastSeq }) => lastSeq)),
    measuredMs: sum('measuredMs') / talks.length,
    busy: Math.max(...talks.map(({ busy }) => busy)),
  };
}

export function widest(reaches: readonly (readonly Reach[])[]): Reach[] {
  const [first = []] = reaches;
  return first.map((_, path) => ({
    least: Math.min(...reaches.map((reach) => reach[path]?.least ?? 0)),
    most: Math.max(...reaches.map((reach) => reach[path]?.most ?? 0)),
  }));
}

function sumStates(states: readonly CrowdState[]): CrowdState {
  const sum = (key: Exclude<keyof CrowdState, 'failures'>): number => states.reduce((total, state) => total + state[key], 0);
  return { open: sum('open'), resumed: sum('resumed'), reset: sum('reset'), lost: sum('lost'), pongs: sum('pongs'), failures: states.flatMap(({ failures }) => failures) };
}

const latest = (times: readonly (number | null)[]): number | null => times.reduce((last, at) => (last === null || at === null ? null : Math.max(last, at)), 0);

function joined(parts: readonly Float64Array[]): Float64Array {
  const whole = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

class CrowdThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #calls = 0;

  constructor(spec: CrowdSpec) {
    this.#worker = new Worker(new URL(import.meta.url), { workerData: spec });
    this.#worker.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.n);
      this.#waiting.delete(answer.n);
      if ('failure' in answer) waiting?.reject(new Error(answer.failure));
      else waiting?.resolve(answer.ok);
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('a thread of the crowd has ended')));
  }

  /** The thread answers each call with what its crowd's method of that name gives. */
  call<T>(call: Call): Promise<T> {
    const waiting = Promise.withResolvers<T>();
    this.#waiting.set(++this.#calls, waiting as PromiseWithResolvers<unknown>);
    this.#worker.postMessage({ n: this.#calls, call }, []);
    return waiting.promise;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: unknown): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

function perform(crowd: Crowd, call: Call): unknown {
  switch (call.op) {
    case 'open':
      return crowd.open();
    case 'state':
      return crowd.state();
    case 'latencies':
      return crowd.takeLatencies();
    case 'answerTimes':
      return crowd.takeAnswerTimes();
    case 'close':
      return crowd.close();
    case 'talk':
      return crowd.talk(call.spec);
    case 'settle':
      return crowd.settle(call.targets, call.deadline);
    case 'lastArrival':
      return crowd.lastArrival(call.name, call.deadline);
  }
}

if (!isMainThread && parentPort) {
  const port = parentPort;
  const crowd = new Crowd(workerData);
  port.on('message', async ({ n, call }: { n: number; call: Call }) => {
    try {
      port.postMessage({ n, ok: await perform(crowd, call) } satisfies Answer);
    } catch (error) {
      port.postMessage({ n, failure: error instanceof Error ? error.message : String(error) } satisfies Answer);
    }
  });
}
