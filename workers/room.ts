import type { RoomApi } from '../durable-objects/channel-room/room-api.ts';
import type { Env } from './env.ts';
import { ProblemError } from './problems.ts';

/**
 * Calls a room. Every operation of a room may be repeated without harm, so one that fell to a restart of the object is tried once more. Throws the
 * problem `unavailable` where the platform cannot reach the room; a fault within the room is thrown on.
 */
export async function callRoom<T>(env: Env, channelId: string, call: (room: RoomApi) => Promise<T>): Promise<T> {
  try {
    return await call(env.ROOMS.getByName(channelId));
  } catch (error) {
    if (!isPlatformFailure(error)) throw error;
    return again(env, channelId, call, error);
  }
}

async function again<T>(env: Env, channelId: string, call: (room: RoomApi) => Promise<T>, first: PlatformFailure): Promise<T> {
  if (first.overloaded === true) throw new ProblemError({ code: 'unavailable', detail: 'the channel is overloaded' });
  try {
    return await call(env.ROOMS.getByName(channelId));
  } catch (error) {
    if (isPlatformFailure(error)) throw new ProblemError({ code: 'unavailable', detail: 'the channel cannot be reached' });
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
