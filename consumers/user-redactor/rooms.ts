import { MAX_REDACTIONS, type RedactAnswer, redactAnswersSchema, type Redaction } from '../../protocol/redactions.ts';
import { InfrastructureError } from '../runtime/classify.ts';
import { tellByWorker, type TellingRoute, type WorkerAddress } from '../worker-calls.ts';

/** Parts of one try: after them the rest is waited for, so that a batch does not last for ever, and rooms store what they deleted. */
const MOST_PARTS = 20;

/** Rooms, as the fleet has them delete. */
export interface Redactor {
  /** Has all of them delete to the end. @throws as `Tell` does, and InfrastructureError where there is more; what is deleted by then stays so. */
  redact(redactions: readonly Redaction[]): Promise<void>;
}

const ROUTE: TellingRoute<Redaction, RedactAnswer> = {
  path: '/internal/redactions',
  most: MAX_REDACTIONS,
  answers: redactAnswersSchema,
  what: 'a room',
  whose: ({ channel_id }) => channel_id,
};

/** By calls to the Worker, each of many rooms. `clock` in epoch milliseconds. */
export function workerRedactor(worker: WorkerAddress, clock: () => number): Redactor {
  const tell = tellByWorker(worker, ROUTE, clock);
  return {
    async redact(redactions) {
      let left = redactions;
      for (let part = 0; left.length > 0; part++) {
        if (part === MOST_PARTS) throw new InfrastructureError('there is more to delete');
        const told = await tell(left);
        left = told.flatMap(([redaction, answer]) => (answer.status === 'told' && answer.after !== null ? [{ ...redaction, after: answer.after }] : []));
      }
    },
  };
}
