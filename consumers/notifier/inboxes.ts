import { MAX_TELLINGS, tellAnswersSchema, type UserTelling } from '../../protocol/tellings.ts';
import { InfrastructureError } from '../runtime/classify.ts';

/** Longest the Worker may take for one call, in milliseconds; and about how many bytes go in one. */
const CALL_MS = 15_000;
const CALL_BYTES = 1024 * 1024;

export interface SleepingInbox {
  readonly user_id: string;
  readonly awake_version: number;
}

/** The inboxes, as the fleet reaches them. */
export interface Inboxes {
  /**
   * Tells all of them, and returns those that nobody listens to any more.
   * @throws InfrastructureError where one of them cannot be reached, Error where one of them is at fault itself, or full.
   */
  tell(tellings: readonly UserTelling[]): Promise<SleepingInbox[]>;
}

export interface WorkerAddress {
  readonly url: string;
  /** The secret that the Worker knows as `FLEET_TOKEN`. */
  readonly token: string;
}

/** By calls to the Worker, each of many inboxes. */
export function workerInboxes({ url, token }: WorkerAddress): Inboxes {
  const address = new URL('/internal/inboxes', url);
  const call = async (data: readonly UserTelling[]): Promise<SleepingInbox[]> => {
    const answers = await post(address, token, { data });
    if (answers.length !== data.length) throw new InfrastructureError('the Worker answered for other inboxes');
    // One inbox that is stuck must not hold up all: its record is parked, and tried again.
    const stuck = answers.find(({ status }) => status === 'failed' || status === 'backlogged');
    if (stuck !== undefined) throw new Error(`an inbox has ${stuck.status}`);
    if (answers.some(({ status }) => status === 'unavailable')) throw new InfrastructureError('an inbox cannot be reached');
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
