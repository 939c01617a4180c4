import { z } from 'zod';
import type { StoredHeaders } from '../../protocol/dead-letters.ts';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { channelEventSchema } from '../../protocol/events.ts';
import { fileEventSchema } from '../../protocol/file-events.ts';
import { inboxEventSchema } from '../../protocol/inbox-events.ts';
import { presenceEventSchema } from '../../protocol/presence.ts';
import { ceType, HEADERS, type Topic, topicOf } from '../../protocol/topics.ts';
import { CE_TYPE, parseJson, parseKey, parsePosition } from '../record-fields.ts';

/** A record as it is kept: key and value byte by byte, headers in the notation of `consumers/runtime/stored-headers.ts`. */
export interface KeptRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: StoredHeaders;
}

const eventSchema = z.discriminatedUnion('type', [channelEventSchema, directoryEventSchema, fileEventSchema, inboxEventSchema, presenceEventSchema]);

/**
 * What a consumer group of this version would refuse of a record, in words that never quote its value; none: it is an event. Without a good
 * key and position it cannot even be redriven, for these name its place in a queue.
 */
export function faultsOf(topic: Topic, { key, value, headers }: KeptRecord): string[] {
  const type = headerOf(headers, HEADERS.type);
  const home = topicOf(CE_TYPE.exec(type ?? '')?.[1] ?? '') ?? topic;
  return [
    ...(parseKey(key) === null ? ['the key is not a UUID in lower case'] : []),
    ...(parsePosition(headerOf(headers, HEADERS.position)) === null ? [`${HEADERS.position} is missing or not a positive integer`] : []),
    ...(type === null || !CE_TYPE.test(type) ? [`${HEADERS.type} is missing or not of the form colink.<name>.v<major>`] : []),
    ...(home === topic ? [] : [`${HEADERS.type} is one of ${home}`]),
    ...(value === null ? ['the value is null'] : faultsOfValue(value, type)),
  ];
}

/** Text that stands as itself in this notation: what is marked as base64 is no type and no position in any case. */
function headerOf(headers: StoredHeaders, name: string): string | null {
  const header = headers[name];
  return typeof header === 'string' ? header : null;
}

function faultsOfValue(value: Uint8Array, type: string | null): string[] {
  const json = parseJson(value);
  if (json === undefined) return ['the value is not UTF-8 JSON'];
  const parsed = eventSchema.safeParse(json);
  if (!parsed.success) return parsed.error.issues.slice(0, 5).map(({ path, message }) => `/${path.join('/')} ${message}`);
  return type === ceType(parsed.data.type) ? [] : [`${HEADERS.type} is not ${ceType(parsed.data.type)}, as the event's type asks`];
}
