import { MAX_TELLINGS, tellAnswersSchema, type UserTelling } from '../../protocol/tellings.ts';
import { tellByWorker, type WorkerAddress } from '../worker-calls.ts';

export interface SleepingInbox {
  readonly user_id: string;
  readonly awake_version: number;
}

/** The inboxes, as the fleet reaches them. */
export interface Inboxes {
  /**
   * Tells all of them, and returns those that nobody listens to any more.
   * One whose user is gone hears nothing, and holds up nobody.
   * @throws as `Tell` does.
   */
  tell(tellings: readonly UserTelling[]): Promise<SleepingInbox[]>;
}

const ROUTE = { path: '/internal/inboxes', most: MAX_TELLINGS, answers: tellAnswersSchema, what: 'an inbox', whose: ({ user_id }: UserTelling) => user_id };

/** By calls to the Worker, each of many inboxes. `clock` in epoch milliseconds. */
export function workerInboxes(worker: WorkerAddress, clock: () => number): Inboxes {
  const tell = tellByWorker(worker, ROUTE, clock);
  return {
    async tell(tellings) {
      const told = await tell(tellings);
      return told.flatMap(([{ user_id }, answer]) => (answer.status === 'asleep' ? [{ user_id, awake_version: answer.awake_version }] : []));
    },
  };
}
