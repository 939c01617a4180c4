import type postgres from 'postgres';
import { z } from 'zod';
import { groupStart } from '../../db/queries/consumer-offsets.ts';
import { forgetLinks, type LinkBounds, type LinkedMessage, noteLinks } from '../../db/queries/link-previews.ts';
import { type ChannelEvent, channelEventSchema } from '../../protocol/events.ts';
import { ceType } from '../../protocol/topics.ts';
import type { Consumed, ConsumerGroup } from '../runtime/group.ts';
import { hashOf, linkedPages, type LinkRules, siteOf } from './links.ts';

const ID = 'link-previewer';
/** What was written so long before the group's first batch is still looked at: it may have waited for the group. Milliseconds. */
const NEWS_MS = 3_600_000;
const TYPES = ['message.created', 'message.edited', 'message.deleted'] as const;
export type LinkEvent = Extract<ChannelEvent, { type: (typeof TYPES)[number] }>;

const isWanted = (event: ChannelEvent): event is LinkEvent => TYPES.some((type) => type === event.type);
const schema = channelEventSchema.transform((event, context): LinkEvent => {
  if (isWanted(event)) return event;
  context.addIssue('is of a type this group does not read');
  return z.NEVER;
});

/** G8. */
const BOUNDS: LinkBounds = { perAuthor: 1_000, perSite: 500, all: 20_000 };

export interface IntakePorts {
  /** Null: nothing is looked up, and the group passes over everything. */
  readonly rules: LinkRules | null;
  readonly bounds?: LinkBounds;
}

/**
 * Notes in the batch's transaction which messages link to which pages; a service of its own asks for these (`service.ts`), so that nothing on the Internet holds up the group. An event
 * that comes again finds its message noted, or done with; then its room is told once more what it knows. Of messages that were imported, or written before there was the group, nothing is looked up.
 */
export const linkPreviewer = (ports: IntakePorts): ConsumerGroup<LinkEvent> => ({
  id: ID,
  topics: ['message.events'],
  types: new Set(TYPES.map((type) => ceType(type))),
  schema,
  apply: (tx, events) => take(tx, events, ports),
});

async function take(tx: postgres.TransactionSql, events: readonly Consumed<LinkEvent>[], { rules, bounds = BOUNDS }: IntakePorts): Promise<void> {
  const since = (await groupStart(tx, ID)) - NEWS_MS;
  const last = new Map(events.map((consumed) => [consumed.event.message_id, consumed]));
  const linked = [...last.values()].flatMap(({ key, event }) => messageOf(key, event, since, rules) ?? []);
  const kept = new Set(linked.map(({ message_id }) => message_id));
  await forgetLinks(tx, [...last.values()].flatMap(({ event: { type, message_id } }) => (type === 'message.created' || kept.has(message_id) ? [] : [message_id])));
  if (linked.length === 0) return;
  const urls = new Set(linked.flatMap((message) => message.urls));
  await noteLinks(tx, linked, [...urls].map((url) => ({ hash: hashOf(url), url, site: siteOf(new URL(url)) })), bounds);
}

/** Null: there is nothing to look up. */
function messageOf(channel_id: string, event: LinkEvent, since: number, rules: LinkRules | null): LinkedMessage | null {
  if (rules === null || event.type === 'message.deleted' || Date.parse(event.at) < since) return null;
  if (event.type === 'message.created' && event.origin !== null) return null;
  const urls = linkedPages(event.text, rules);
  const revision = event.type === 'message.created' ? 1 : event.revision;
  return urls.length === 0 ? null : { message_id: event.message_id, channel_id, author_id: event.actor_id, revision, urls };
}
