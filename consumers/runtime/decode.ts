import { CE_TYPE, parseJson, parseKey, parsePosition } from '../../db/record-fields.ts';
import { HEADERS, topicOf } from '../../protocol/topics.ts';
import type { Failure } from './classify.ts';
import type { Consumed, ConsumerGroup } from './group.ts';
import type { SourceRecord } from './record.ts';

/** What the border makes of a record. `key` and `position` are null where the record does not carry good ones. */
export type Decoded<E> =
  | ({ readonly kind: 'event'; readonly record: SourceRecord } & Consumed<E>)
  | { readonly kind: 'passed'; readonly record: SourceRecord }
  | { readonly kind: 'fatal'; readonly record: SourceRecord; readonly key: string | null; readonly position: number | null; readonly failure: Failure };

/** The one border of a group: what leaves it as an event is trusted. Never throws, and its messages never quote the value. */
export function decode<E extends { readonly type: string }>(group: ConsumerGroup<E>, record: SourceRecord): Decoded<E> {
  const key = parseKey(record.key);
  const position = parsePosition(readHeader(record, HEADERS.position));
  const fatal = (errorClass: string, errorMessage: string): Decoded<E> => ({ kind: 'fatal', record, key, position, failure: { errorClass, errorMessage } });

  const type = readHeader(record, HEADERS.type);
  const name = type === null ? null : (CE_TYPE.exec(type)?.[1] ?? null);
  if (type === null || name === null) return fatal('bad_type', `${HEADERS.type} is missing or not of the form colink.<name>.v<major>`);
  if ((topicOf(name) ?? record.topic) !== record.topic) return fatal('wrong_topic', `${type} belongs on another topic`);
  if (!group.types.has(type)) {
    return knowsName(group, name) ? fatal('unknown_version', `${type} is of a major version this group does not know`) : { kind: 'passed', record };
  }
  if (key === null) return fatal('bad_key', 'the key is not a UUID in lower case');
  if (position === null) return fatal('bad_position', `${HEADERS.position} is missing or not a positive integer`);
  if (record.value === null) return fatal('no_value', 'the value is null');

  const json = parseJson(record.value);
  if (json === undefined) return fatal('bad_json', 'the value is not UTF-8 JSON');
  const parsed = group.schema.safeParse(json);
  if (!parsed.success) return fatal('bad_shape', parsed.error.issues.slice(0, 5).map(({ path, message }) => `/${path.join('/')} ${message}`).join('; '));
  if (parsed.data.type !== name) return fatal('type_mismatch', `${HEADERS.type} and the event's type differ`);
  return { kind: 'event', record, key, position, event: parsed.data };
}

function knowsName({ types }: { types: ReadonlySet<string> }, name: string): boolean {
  return [...types].some((known) => CE_TYPE.exec(known)?.[1] === name);
}

function readHeader({ headers }: SourceRecord, name: string): string | null {
  const value = headers[name];
  return value === undefined || Array.isArray(value) ? null : value.toString();
}
