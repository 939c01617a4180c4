import type { Transaction } from '../client.ts';
import { eventLog } from '../schema/event-tables.ts';
import type { NamedUser } from '../../protocol/api.ts';
import type { DirectoryEvent } from '../../protocol/directory-events.ts';
import { ceType, type Topic } from '../../protocol/topics.ts';

function addressOf(event: DirectoryEvent): { topic: Topic; key: string } {
  if ('user' in event) return { topic: 'user.events', key: event.user.id };
  if (event.type === 'user.credential_revoked' || event.type === 'user.redaction_requested' || event.type === 'notification_level.updated') return { topic: 'user.events', key: event.user_id };
  return { topic: 'channel.events', key: 'channel' in event ? event.channel.id : event.channel_id };
}

/** What is known of a user beside their names is not for the log: who wants it reads them. */
const named = ({ id, handle, display_name, role }: NamedUser): NamedUser => ({ id, handle, display_name, role });

/** Appends to the outbox; to be called by the very transaction that makes the change. `traceparent`: W3C trace context. */
export async function appendDirectoryEvent(tx: Transaction, told: DirectoryEvent, traceparent: string | null = null): Promise<void> {
  const event = 'user' in told ? { ...told, user: named(told.user) } : told;
  await tx.insert(eventLog).values({ ...addressOf(event), event_id: event.id, type: ceType(event.type), data: event, traceparent });
}
