import type postgres from 'postgres';
import { findChannelsEverOf } from '../../db/queries/redactions.ts';
import { type DirectoryEvent, directoryEventSchema } from '../../protocol/directory-events.ts';
import { ceType } from '../../protocol/topics.ts';
import type { ConsumerGroup } from '../runtime/group.ts';
import type { Redactor } from './rooms.ts';

/**
 * Deletes the messages of users for whom an administrator asked for it. Their rooms do it, as they do every deletion: in their logs, for sockets, history and
 * search. What was deleted before a failure stays so, and the next try finds what is left.
 */
export const userRedactor = (redactor: Redactor): ConsumerGroup<DirectoryEvent> => ({
  id: 'user-redactor',
  topics: ['user.events'],
  types: new Set([ceType('user.redaction_requested')]),
  schema: directoryEventSchema,
  apply: async (tx, events) => {
    for (const { event } of events) if (event.type === 'user.redaction_requested') await redactUser(tx, redactor, event.user_id, event.actor_id);
  },
});

async function redactUser(tx: postgres.TransactionSql, redactor: Redactor, user_id: string, actor_id: string): Promise<void> {
  const channels = await findChannelsEverOf(tx, user_id);
  await redactor.redact(channels.map((channel_id) => ({ channel_id, user_id, actor_id, after: null })));
}
