import type { Logger } from 'pino';
import type { Sql } from '../../db/client.ts';
import { abandonUploads, findUnpurged, markPurged } from '../../db/queries/file-purge.ts';
import { UPLOAD_MINUTES } from '../../db/queries/file-uploads.ts';
import { failureFields, InfrastructureError } from '../runtime/classify.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import type { WorkerAddress } from '../worker-calls.ts';

const MINUTE_MS = 60_000;
/** By then whatever was on its way to the store, a thumbnail or the rest of an upload, has arrived there or never will. */
const SETTLED_MS = 10 * MINUTE_MS;
const MOST = 100;
const CALL_MS = 15_000;

export interface PurgePorts {
  readonly sql: Sql;
  /** Removes all that the store holds of a file. Repeating it does no harm. */
  readonly remove: (fileId: string) => Promise<void>;
  readonly now: () => Date;
}

/** Removes from the store what belongs to deleted files and to uploads that never ended. Returns whether there may be more to do at once. */
export async function purgeFiles({ sql, remove, now }: PurgePorts): Promise<boolean> {
  const at = now().getTime();
  await abandonUploads(sql, new Date(at - 2 * UPLOAD_MINUTES * MINUTE_MS), new Date(at));
  const ids = await findUnpurged(sql, new Date(at - SETTLED_MS), MOST);
  const failures: unknown[] = [];
  // One that fails for itself must not hold up all others.
  for (const id of ids) await remove(id).then(() => markPurged(sql, id, now()), (error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
  return ids.length === MOST;
}

/** By calls to the Worker, which alone reaches the store. */
export const removeByWorker = ({ url, token }: WorkerAddress): PurgePorts['remove'] => async (fileId) => {
  const init = { method: 'DELETE', headers: { Authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(CALL_MS) };
  const response = await fetch(new URL(`/internal/files/${fileId}`, url), init);
  await response.body?.cancel();
  if (response.status !== 204) throw new InfrastructureError(`the Worker answered ${response.status}`);
};

export function createFilePurger(sql: Sql, worker: WorkerAddress, log: Logger): Service {
  const ports = { sql, remove: removeByWorker(worker), now: () => new Date() };
  return new Poller({
    name: 'file-purger',
    idle: { first: MINUTE_MS, most: 5 * MINUTE_MS },
    failure: { first: 1_000, most: MINUTE_MS },
    onError: (error) => log.warn(failureFields(error), 'deleted files wait to be removed from the store'),
    step: () => purgeFiles(ports),
  });
}
