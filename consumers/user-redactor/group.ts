import type postgres from 'postgres';
import { uuidv7 } from 'uuidv7';
import { clearLettersOfUser } from '../../db/queries/dead-letter-retention.ts';
import { deleteDraftsOf } from '../../db/queries/drafts.ts';
import { deleteFilesOf } from '../../db/queries/file-state.ts';
import { findChannelsEverOf } from '../../db/queries/redactions.ts';
import { deleteScheduledOf } from '../../db/queries/scheduled-messages.ts';
import { type DirectoryEvent, directoryEventSchema } from '../../protocol/directory-events.ts';
import { ceType } from '../../protocol/topics.ts';
import type { ConsumerGroup } from '../runtime/group.ts';
import type { Redactor } from './rooms.ts';

const ID = 'user-redactor';
const FILES_AT_ONCE = 500;

/**
 * Deletes the messages, scheduled ones and drafts too, and files of users for whom an administrator asked for it. Their rooms do it, as they do every deletion: in their logs, for sockets, history and
 * search. What was deleted before a failure stays so, and the next try finds what is left. What groups could not take of them is cleared, too; what fails
 * later, maintenance clears.
 */
export const userRedactor = (redactor: Redactor): ConsumerGroup<DirectoryEvent> => ({
  id: ID,
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
  await clearLettersOfUser(tx, user_id, `group:${ID}`);
  await deleteScheduledOf(tx, user_id);
  await deleteDraftsOf(tx, user_id);
  await deleteFiles(tx, user_id, actor_id);
}

/** In the transaction of the batch: all, or none of them. */
async function deleteFiles(tx: postgres.TransactionSql, userId: string, actorId: string): Promise<void> {
  for (let deleted = FILES_AT_ONCE; deleted === FILES_AT_ONCE; ) {
    deleted = await deleteFilesOf(tx, { userId, actorId, now: new Date(), eventIds: Array.from({ length: FILES_AT_ONCE }, () => uuidv7()), avatarEventId: uuidv7() });
  }
}
