import type { z } from 'zod';
import { InfrastructureError } from './runtime/classify.ts';

/** Longest the Worker may take for one call, in milliseconds; and about how many bytes go in one. */
const CALL_MS = 15_000;
const CALL_BYTES = 1024 * 1024;
/** One object that cannot be reached for so long, though the Worker answers, is taken to be at fault itself: all others wait for it. Milliseconds. */
const PATIENCE_MS = 60_000;
/** So many that cannot be reached are remembered; past it everything is waited for. */
const MAX_UNREACHED = 1_000;

export interface WorkerAddress {
  readonly url: string;
  /** The secret that the Worker knows as `FLEET_TOKEN`. */
  readonly token: string;
}

/** A route of the Worker by which objects (rooms, inboxes) are told something, many in one call. */
export interface TellingRoute<T, A> {
  readonly path: string;
  /** Tellings of one call at most. */
  readonly most: number;
  readonly answers: z.ZodType<{ readonly data: readonly A[] }>;
  /** What kind of object it is, for people, with its article; and which one. */
  readonly what: string;
  readonly whose: (telling: T) => string;
}

/** What an object may answer, whatever the route. Other words of its own are no failure. */
interface Answer {
  readonly status: string;
}

/**
 * Tells objects, in calls of bounded size, and returns each telling with its answer.
 * @throws InfrastructureError where one of them cannot be reached, Error where one of them is at fault itself, or full, or has not been reached for a minute.
 */
export type Tell<T, A> = (tellings: readonly T[]) => Promise<(readonly [T, A])[]>;

/** Since when objects could not be reached. */
class Unreached {
  readonly #since = new Map<string, number>();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Whether its time is over. */
  note(id: string): boolean {
    const since = this.#since.get(id);
    if (since === undefined && this.#since.size < MAX_UNREACHED) this.#since.set(id, this.#clock());
    return since !== undefined && this.#clock() - since >= PATIENCE_MS;
  }

  reached(id: string): void {
    this.#since.delete(id);
  }
}

/** `clock` in epoch milliseconds. */
export function tellByWorker<T, A extends Answer>({ url, token }: WorkerAddress, route: TellingRoute<T, A>, clock: () => number): Tell<T, A> {
  const unreached = new Unreached(clock);
  const address = new URL(route.path, url);
  const call = async (data: readonly T[]): Promise<(readonly [T, A])[]> => {
    const answers = await post(address, token, { data }, route.answers);
    if (answers.length !== data.length) throw new InfrastructureError('the Worker answered for others');
    const told = zip(data, answers);
    refuseStuck(route.what, told);
    waitFor(route, unreached, told);
    return told;
  };
  return async (tellings) => {
    const told: (readonly [T, A])[] = [];
    for (const data of portions(tellings, route.most)) told.push(...(await call(data)));
    return told;
  };
}

function zip<T, A>(tellings: readonly T[], answers: readonly A[]): (readonly [T, A])[] {
  return tellings.flatMap((telling, index) => {
    const answer = answers[index];
    return answer === undefined ? [] : [[telling, answer] as const];
  });
}

/** One object that is stuck must not hold up all: its record is parked, and tried again. */
function refuseStuck<T>(what: string, told: readonly (readonly [T, Answer])[]): void {
  const stuck = told.find(([, { status }]) => status === 'failed' || status === 'backlogged');
  if (stuck !== undefined) throw new Error(`${what} has ${stuck[1].status}`);
}

function waitFor<T, A extends Answer>({ what, whose }: TellingRoute<T, A>, unreached: Unreached, told: readonly (readonly [T, A])[]): void {
  const away = new Set(told.filter(([, { status }]) => status === 'unavailable').map(([telling]) => whose(telling)));
  for (const [telling] of told) if (!away.has(whose(telling))) unreached.reached(whose(telling));
  const isOver = [...away].map((id) => unreached.note(id));
  if (isOver.includes(false)) throw new InfrastructureError(`${what} cannot be reached`);
  if (away.size > 0) throw new Error(`${what} has not been reached for long`);
}

async function post<A>(address: URL, token: string, body: object, answers: z.ZodType<{ readonly data: readonly A[] }>): Promise<readonly A[]> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  try {
    const response = await fetch(address, { method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(CALL_MS) });
    if (response.status !== 200) throw new InfrastructureError(`the Worker answered ${response.status}`);
    return answers.parse(await response.json()).data;
  } catch (error) {
    if (error instanceof InfrastructureError) throw error;
    throw new InfrastructureError('the Worker cannot be reached', { cause: error });
  }
}

/** Cuts what is to be told into calls of bounded size; one telling may exceed it. */
export function* portions<T>(tellings: readonly T[], most: number): Generator<readonly T[]> {
  let portion: T[] = [];
  let bytes = 0;
  for (const telling of tellings) {
    const size = JSON.stringify(telling).length;
    if (portion.length > 0 && (portion.length >= most || bytes + size > CALL_BYTES)) {
      yield portion;
      [portion, bytes] = [[], 0];
    }
    portion.push(telling);
    bytes += size;
  }
  if (portion.length > 0) yield portion;
}
