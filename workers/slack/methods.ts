import type { Method } from './method.ts';
import { chatMethods } from './methods/chat.ts';
import { conversationMethods } from './methods/conversations.ts';
import { historyMethods } from './methods/history.ts';
import { reactionMethods } from './methods/reactions.ts';
import { userMethods } from './methods/users.ts';

/** By their names; `api.test` is nobody's, and asks nobody who they are. */
export const methods: ReadonlyMap<string, Method> = new Map(Object.entries<Method>({ ...chatMethods, ...conversationMethods, ...historyMethods, ...reactionMethods, ...userMethods }));
