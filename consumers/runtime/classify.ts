import { BrokenCircuitError, IsolatedCircuitError, TaskCancelledError } from 'cockatiel';
import { classifyPostgresError } from '../../db/errors.ts';

/** Whose fault a failure is: `infrastructure` passes and is waited out; `record` is the record's own and parks its key. */
export type FailureClass = 'infrastructure' | 'record';

/** For handlers to say that a part they need is away. */
export class InfrastructureError extends Error {
  override readonly name = 'InfrastructureError';
}

const INFRASTRUCTURE_ERRORS = [InfrastructureError, BrokenCircuitError, IsolatedCircuitError, TaskCancelledError];

/** What Postgres refuses for another reason than the values is infrastructure: a missing table says nothing against a record. */
export function classify(error: unknown): FailureClass {
  if (INFRASTRUCTURE_ERRORS.some((kind) => error instanceof kind)) return 'infrastructure';
  // Node finds no error classes among the exports of kafkajs 2.2.4.
  if (error instanceof Error && error.name.startsWith('KafkaJS')) return 'infrastructure';
  const failure = classifyPostgresError(error);
  if (failure !== 'other') return failure === 'data' ? 'record' : 'infrastructure';
  return error instanceof Error && error.name === 'PostgresError' ? 'infrastructure' : 'record';
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
