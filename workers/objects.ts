import { ProblemError } from './problems.ts';

/**
 * Calls a Durable Object, found by `find` afresh for each try. Every operation of ours may be repeated without harm, so one that fell to a restart of
 * the object is tried once more. Throws the problem `unavailable` where the platform cannot reach it; a fault within it is thrown on. `what`: its name
 * for people.
 */
export async function callObject<Api, T>(what: string, find: () => Api, call: (object: Api) => Promise<T>): Promise<T> {
  try {
    return await call(find());
  } catch (error) {
    if (!isPlatformFailure(error)) throw error;
    return again(what, find, call, error);
  }
}

async function again<Api, T>(what: string, find: () => Api, call: (object: Api) => Promise<T>, first: PlatformFailure): Promise<T> {
  if (first.overloaded === true) throw new ProblemError({ code: 'unavailable', detail: `${what} is overloaded` });
  try {
    return await call(find());
  } catch (error) {
    if (isPlatformFailure(error)) throw new ProblemError({ code: 'unavailable', detail: `${what} cannot be reached` });
    throw error;
  }
}

/** How the platform marks its own failures (Workers documentation, "Durable Objects: error handling", 2026-11). */
interface PlatformFailure {
  readonly retryable?: boolean;
  readonly overloaded?: boolean;
  readonly durableObjectReset?: boolean;
}

function isPlatformFailure(error: unknown): error is PlatformFailure {
  if (typeof error !== 'object' || error === null) return false;
  const failure: PlatformFailure = error;
  return failure.retryable === true || failure.overloaded === true || failure.durableObjectReset === true;
}
