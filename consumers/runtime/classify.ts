import { BrokenCircuitError, IsolatedCircuitError, TaskCancelledError } from 'cockatiel';

/** Whose fault a failure is: `infrastructure` passes and is waited out; `record` is the record's own and parks its key. */
export type FailureClass = 'infrastructure' | 'record';

/** For handlers to say that a part they need is away. */
export class InfrastructureError extends Error {
  override readonly name = 'InfrastructureError';
}

const INFRASTRUCTURE_ERRORS = [InfrastructureError, BrokenCircuitError, IsolatedCircuitError, TaskCancelledError];

/** SQLSTATE classes that speak of the data: cardinality, data exception, integrity, with-check, program limit, raised by a function. */
const RECORD_STATES = new Set(['21', '22', '23', '44', '54', 'P0']);
const SQLSTATE = /^[0-9A-Z]{5}$/;
/** Codes of sockets, name look-ups and the Postgres client. */
const NETWORK_CODE = /^(?:E[A-Z]{4,}|CONNECTION_[A-Z]+|CONNECT_TIMEOUT|UND_ERR_[A-Z_]+)$/;

/** Every other SQLSTATE is infrastructure: a missing table, a read-only replica or a deadlock says nothing against a record. */
export function classify(error: unknown): FailureClass {
  if (INFRASTRUCTURE_ERRORS.some((kind) => error instanceof kind)) return 'infrastructure';
  // Node finds no error classes among the exports of kafkajs 2.2.4.
  if (error instanceof Error && error.name.startsWith('KafkaJS')) return 'infrastructure';
  const code = errorCode(error);
  if (code === null) return 'record';
  if (NETWORK_CODE.test(code)) return 'infrastructure';
  if (SQLSTATE.test(code)) return RECORD_STATES.has(code.slice(0, 2)) ? 'record' : 'infrastructure';
  return 'record';
}

function errorCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

export interface Failure {
  readonly errorClass: string;
  readonly errorMessage: string;
}

const MOST_MESSAGE = 500;

/** A failure as dead letters name it: never more than 500 characters, nothing Postgres cannot store. */
export function describeFailure(error: unknown): Failure {
  const code = errorCode(error);
  const name = error instanceof Error ? error.name : 'Error';
  const message = error instanceof Error ? error.message : String(error);
  return {
    errorClass: code === null ? name : `${name}:${code}`,
    errorMessage: message.replaceAll('\0', '').toWellFormed().slice(0, MOST_MESSAGE).toWellFormed(),
  };
}

/** A failure as logs name it. What Postgres says of data may quote a message, so its words stay out. */
export function failureFields(error: unknown): { error_class: string; error_message?: string } {
  const { errorClass, errorMessage } = describeFailure(error);
  return { error_class: errorClass, ...(classify(error) === 'infrastructure' && { error_message: errorMessage }) };
}
