/**
 * What a failed query means to the caller. `unreachable`: Postgres is away or asks for another try; nothing is wrong with the data.
 * `data`: these values can never be stored. `other`: an operator's or a programmer's fault, such as a missing partition or a missing
 * table; trying again later may help, dropping the data never does.
 */
export type PostgresFailure = 'unreachable' | 'data' | 'other';

/** SQLSTATE classes: connection, resources, operator's intervention, system, internal, rollback for concurrency. */
const UNREACHABLE_CLASSES = new Set(['08', '40', '53', '57', '58', 'XX']);
/** Lock not available; writing to a server that is a standby since a failover. */
const UNREACHABLE_STATES = new Set(['55P03', '25006']);
/** SQLSTATE classes: data exception, integrity constraint violation, program limit exceeded. */
const DATA_CLASSES = new Set(['22', '23', '54']);
const CHECK_VIOLATION = '23514';

/** Codes of the driver and of the socket below it; workerd's sockets give a message only. */
const SOCKET_CODE = /^(CONNECT|CONNECTION_|E[A-Z]{3,}$)/;
const SOCKET_MESSAGE = /network connection lost|cannot connect|connection (closed|terminated|refused|reset)|stream was cancell?ed|socket/i;

export function classifyPostgresError(error: unknown): PostgresFailure {
  const answer = answerOf(error);
  if (answer !== undefined) return classifyAnswer(answer);
  return [...causes(error)].some(isSocketError) ? 'unreachable' : 'other';
}

/** The SQLSTATE of what Postgres answered; null where it did not answer. */
export const errorState = (error: unknown): string | null => (answerOf(error) === undefined ? null : String(answerOf(error)?.code));

const answerOf = (error: unknown) => [...causes(error)].find((cause) => 'code' in cause && isSqlState(cause.code));

/** Query builders wrap what the driver throws. */
function* causes(error: unknown): Generator<Error & { code?: unknown; constraint_name?: unknown }> {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) yield cause;
}

const isSqlState = (code: unknown): code is string => typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !SOCKET_CODE.test(code);

function classifyAnswer({ code, constraint_name }: { code?: unknown; constraint_name?: unknown }): PostgresFailure {
  const state = String(code);
  if (UNREACHABLE_CLASSES.has(state.slice(0, 2)) || UNREACHABLE_STATES.has(state)) return 'unreachable';
  // A missing partition bears the state of a violated check, but names no constraint.
  if (state === CHECK_VIOLATION && !constraint_name) return 'other';
  return DATA_CLASSES.has(state.slice(0, 2)) || state === 'P0001' ? 'data' : 'other';
}

const isSocketError = (error: Error & { code?: unknown }): boolean =>
  typeof error.code === 'string' ? SOCKET_CODE.test(error.code) : SOCKET_MESSAGE.test(error.message);
