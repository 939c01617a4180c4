import type { WebhookEventRow } from '../../db/queries/webhook-intake.ts';
import type { DirectoryEvent } from '../../protocol/directory-events.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import type { FileEvent } from '../../protocol/file-events.ts';
import type { WebhookEventType, WebhookPayload } from '../../protocol/webhooks.ts';

type Told<E extends { readonly type: string }> = Extract<E, { readonly type: WebhookEventType }>;
/** Events that webhooks may be told of. A room's own announcements of members are not among them: they bear the ids of the directory's events, which are. */
export type WebhookEvent = Told<ChannelEvent> | Told<DirectoryEvent> | FileEvent;

/** An event as it is kept for webhooks; null: it is told to none, for it was imported. `key`: of its topic, which is the channel, or the file. The text of a message is not kept: what goes out is what it says then. */
export function rowOf(key: string, event: WebhookEvent): WebhookEventRow | null {
  if (event.type === 'message.created' && event.origin !== null) return null;
  // What goes out has no origin: it would always be null.
  const { type, at, origin: _origin, ...rest } = { origin: null, ...event };
  const channel_id = 'file' in event ? event.file.channel_id : key;
  return { id: event.id, type, channel_id, subject_id: subjectOf(event), at, data: { channel_id, ...rest, ...('text' in event && { text: '' }) } };
}

function subjectOf(event: WebhookEvent): string | null {
  if ('file' in event) return event.file.id;
  return 'message_id' in event ? event.message_id : null;
}

export const bodyOf = (payload: { readonly type: string; readonly at: string; readonly data: object }): string =>
  JSON.stringify({ type: payload.type, timestamp: payload.at, data: payload.data } satisfies Record<keyof WebhookPayload, unknown>);
