import { MAX_TELLINGS, tellAnswersSchema, type UserTelling } from '../../protocol/tellings.ts';
import { InfrastructureError } from '../runtime/classify.ts';

/** Longest the Worker may take for one call, in milliseconds; and about how many bytes go in one. */
const CALL_MS = 15_000;
const CALL_BYTES = 1024 * 1024;
/** One inbox that cannot be reached for so long, though the Worker answers, is taken to be at fault itself: all others wait for it. Milliseconds. */
const PATIENCE_MS = 60_000;
/** So many that cannot be reached are remembered; past it everything is waited for. */
const MAX_UNREACHED = 1_000;

export interface SleepingInbox {
  readonly user_id: string;
  readonly awake_version: number;
}

/** The inboxes, as the fleet reaches them. */
export interface Inboxes {
  /**
   * Tells all of them, and returns those that nobody listens to any more.
   * One whose user is gone hears nothing, and holds up nobody.
   * @throws InfrastructureError where one of them cannot be reached, Error where one of them is at fault itself, or full, or has not been reached for a minute.
   */
  tell(tellings: readonly UserTelling[]): Promise<SleepingInbox[]>;
}

export interface WorkerAddress {
  readonly url: string;
  /** The secret that the Worker knows as `FLEET_TOKEN`. */
  readonly token: string;
}

/** Since when inboxes could not be reached. */
class Unreached {
  readonly #since = new Map<string, number>();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Whether its time is over. */
  note(userId: string): boolean {
    const since = this.#since.get(userId);
    if (since === undefined && this.#since.size < MAX_UNREACHED) this.#since.set(userId, this.#clock());
    return since !== undefined && this.#clock() - since >= PATIENCE_MS;
  }

  reached(userId: string): void {
    this.#since.delete(userId);
  }
}

/** By calls to the Worker, each of many inboxes. `clock` in epoch milliseconds. */
export function workerInboxes({ url, token }: WorkerAddress, clock: () => number): Inboxes {
  const unreached = new Unreached(clock);
  const address = new URL('/internal/inboxes', url);
  const call = async (data: readonly UserTelling[]): Promise<SleepingInbox[]> => {
    const answers = await post(address, token, { data });
    if (answers.length !== data.length) throw new InfrastructureError('the Worker answered for other inboxes');
    // One inbox that is stuck must not hold up all: its record is parked, and tried again.
    const stuck = answers.find(({ status }) => status === 'failed' || status === 'backlogged');
    if (stuck !== undefined) throw new Error(`an inbox has ${stuck.status}`);
    const away = data.filter((_, index) => answers[index]?.status === 'unavailable').map(({ user_id }) => user_id);
    for (const { user_id } of data) if (!away.includes(user_id)) unreached.reached(user_id);
    const isOver = away.map((userId) => unreached.note(userId));
    if (isOver.includes(false)) throw new InfrastructureError('an inbox cannot be reached');
    if (away.length > 0) throw new Error('an inbox has not been reached for long');
    return answers.flatMap((answer, index) => (answer.status === 'asleep' ? [{ user_id: data[index]?.user_id ?? '', awake_version: answer.awake_version }] : []));
  };
  return {
    async tell(tellings) {
      const asleep: SleepingInbox[] = [];
      for (const data of portions(tellings)) asleep.push(...(await call(data)));
      return asleep;
    },
  };
}

async function post(address: URL, token: string, body: { readonly data: readonly UserTelling[] }): Promise<(typeof tellAnswersSchema)['_output']['data']> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  try {
    const response = await fetch(address, { method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(CALL_MS) });
    if (response.status !== 200) throw new InfrastructureError(`the Worker answered ${response.status}`);
    return tellAnswersSchema.parse(await response.json()).data;
  } catch (error) {
    if (error instanceof InfrastructureError) throw error;
    throw new InfrastructureError('the Worker cannot be reached', { cause: error });
  }
}

/** Cuts what is to be told into calls of bounded size; one inbox may exceed it. */
export function* portions(tellings: readonly UserTelling[]): Generator<readonly UserTelling[]> {
  let portion: UserTelling[] = [];
  let bytes = 0;
  for (const telling of tellings) {
    const size = JSON.stringify(telling).length;
    if (portion.length > 0 && (portion.length >= MAX_TELLINGS || bytes + size > CALL_BYTES)) {
      yield portion;
      [portion, bytes] = [[], 0];
    }
    portion.push(telling);
    bytes += size;
  }
  if (portion.length > 0) yield portion;
}
