import type { RoomApi } from '../durable-objects/channel-room/room-api.ts';
import type { InboxApi } from '../durable-objects/user-inbox/inbox-api.ts';
import type { Env } from './env.ts';
import { callObject } from './objects.ts';

/** Calls a room; see `callObject`. */
export const callRoom = <T>(env: Env, channelId: string, call: (room: RoomApi) => Promise<T>): Promise<T> =>
  callObject('the channel', () => env.ROOMS.getByName(channelId), call);

/** Calls an inbox; see `callObject`. */
export const callInbox = <T>(env: Env, userId: string, call: (inbox: InboxApi) => Promise<T>): Promise<T> =>
  callObject('the inbox', () => env.INBOXES.getByName(userId), call);
