/**
 * What the platform charges beyond what a paid plan includes, in US dollars a million: https://developers.cloudflare.com/durable-objects/platform/pricing/ and
 * https://developers.cloudflare.com/workers/platform/pricing/, as published at the end of November 2026. Left out: CPU time of Workers (0.02 a million ms),
 * storage, and Postgres.
 */
export const PRICES = { worker_request: 0.3, object_request: 0.15, gb_second: 12.5, row_read: 0.001, row_written: 1 } as const;

/** So many incoming messages of sockets are one request of an object. */
const MESSAGES_A_REQUEST = 20;
/** An object that is awake is charged for this much memory, in GB, whatever it uses. */
const OBJECT_GB = 0.128;

/** Counts, and seconds in which an object was awake and could not sleep. `alarmsSet`: each is a row written besides `rowsWritten`. */
export interface Usage {
  readonly workerRequests: number;
  readonly objectRequests: number;
  readonly socketMessages: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly alarmsSet: number;
  readonly awakeSeconds: number;
}

export interface Bill {
  readonly worker_requests: number;
  readonly object_requests: number;
  readonly gb_seconds: number;
  readonly rows_read: number;
  readonly rows_written: number;
  readonly dollars: number;
}

/** What is billed for a usage, times `factor`. */
export function bill(usage: Usage, factor: number): Bill {
  const billed = {
    worker_requests: factor * usage.workerRequests,
    object_requests: factor * (usage.objectRequests + usage.socketMessages / MESSAGES_A_REQUEST),
    gb_seconds: factor * usage.awakeSeconds * OBJECT_GB,
    rows_read: factor * usage.rowsRead,
    rows_written: factor * (usage.rowsWritten + usage.alarmsSet),
  };
  const { worker_request, object_request, gb_second, row_read, row_written } = PRICES;
  const millionths =
    billed.worker_requests * worker_request +
    billed.object_requests * object_request +
    billed.gb_seconds * gb_second +
    billed.rows_read * row_read +
    billed.rows_written * row_written;
  return { ...billed, dollars: millionths / 1_000_000 };
}
