import { z } from 'zod';
import { namedUserSchema } from '../api.ts';
import { directoryEventSchema } from '../directory-events.ts';
import { problemSchema } from '../errors.ts';
import { channelEventSchema } from '../events.ts';
import { fileEventSchema } from '../file-events.ts';
import { fileSchema } from '../files.ts';
import { badgeSchema, clientFrameSchema, commandResultSchema, inboxClientFrameSchema, inboxServerFrameSchema, serverFrameSchema } from '../frames.ts';
import { inboxEventSchema } from '../inbox-events.ts';
import { customStatusSchema, presenceEventSchema, userPresenceSchema } from '../presence.ts';
import { INBOX_CLIENT_NOTES, ROOM_CLIENT_NOTES } from './client-notes.ts';
import { CHANNEL_EVENT_NOTES, DIRECTORY_EVENT_NOTES, FILE_EVENT_NOTES, INBOX_EVENT_NOTES, PRESENCE_EVENT_NOTES } from './event-notes.ts';
import type { Note } from './notes.ts';
import { INBOX_SERVER_NOTES, ROOM_SERVER_NOTES } from './server-notes.ts';

/** A message of the wire: `name` is its key in the document, `type` what its `type` field says. */
export interface Message {
  readonly name: string;
  readonly kind: Kind;
  readonly type: string;
  readonly schema: z.ZodType;
  readonly note: Note<unknown>;
}

type Kind = 'client' | 'server' | 'event';
interface Member extends z.ZodType {
  readonly shape: { readonly type: { readonly value: string } };
}
type NotesByType = Readonly<Record<string, Note<unknown>>>;

const messages = (kind: Kind, prefix: string, members: readonly Member[], notes: NotesByType): Message[] =>
  members.map((schema) => {
    const type = schema.shape.type.value;
    const note = notes[type];
    if (note === undefined) throw new Error(`${prefix}.${type} has no note`);
    return { name: `${prefix}.${type}`, kind, type, schema, note };
  });

/** The frames of a room and of an inbox. A schema that both know is one message of either socket. */
function framesOf(direction: 'client' | 'server', room: Union, inbox: Union): { readonly room: Message[]; readonly inbox: Message[] } {
  const prefix = (own: string, others: readonly Member[]) => (schema: Member) => `${others.includes(schema) ? 'socket' : own}.${direction}`;
  const named = (own: string, { members, notes }: Union, others: Union) =>
    members.flatMap((member) => messages(direction, prefix(own, others.members)(member), [member], notes));
  return { room: named('room', room, inbox), inbox: named('inbox', inbox, room) };
}
interface Union {
  readonly members: readonly Member[];
  readonly notes: NotesByType;
}

export const CLIENT_FRAMES = framesOf(
  'client',
  { members: clientFrameSchema.options, notes: ROOM_CLIENT_NOTES },
  { members: inboxClientFrameSchema.options, notes: INBOX_CLIENT_NOTES },
);
export const SERVER_FRAMES = framesOf(
  'server',
  { members: serverFrameSchema.options, notes: ROOM_SERVER_NOTES },
  { members: inboxServerFrameSchema.options, notes: INBOX_SERVER_NOTES },
);
export const CHANNEL_EVENTS = messages('event', 'event', channelEventSchema.options, CHANNEL_EVENT_NOTES);
export const DIRECTORY_EVENTS = messages('event', 'event', directoryEventSchema.options, DIRECTORY_EVENT_NOTES);
export const PRESENCE_EVENTS = messages('event', 'event', [presenceEventSchema], PRESENCE_EVENT_NOTES);
export const FILE_EVENTS = messages('event', 'event', fileEventSchema.options, FILE_EVENT_NOTES);
export const INBOX_EVENTS = messages('event', 'inbox.event', inboxEventSchema.options, INBOX_EVENT_NOTES);

/** Each message once. */
export const MESSAGES: readonly Message[] = [
  ...new Map(
    [
      ...[CLIENT_FRAMES.room, CLIENT_FRAMES.inbox, SERVER_FRAMES.room, SERVER_FRAMES.inbox].flat(),
      ...[CHANNEL_EVENTS, DIRECTORY_EVENTS, INBOX_EVENTS, PRESENCE_EVENTS, FILE_EVENTS].flat(),
    ].map((message) => [message.name, message]),
  ).values(),
];

const SHARED: Readonly<Record<string, z.ZodType>> = {
  ChannelEvent: channelEventSchema,
  InboxEvent: inboxEventSchema,
  Problem: problemSchema,
  CommandResult: commandResultSchema,
  Badge: badgeSchema,
  UserPresence: userPresenceSchema,
  CustomStatus: customStatusSchema,
  User: namedUserSchema,
  File: fileSchema,
};

export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * The JSON Schema of every message and of what they share, by name. Written as draft 2020-12; they use no keyword that draft 7 reads otherwise,
 * so every tool for AsyncAPI can read them (a test compares the two).
 */
export function schemas(target: 'draft-2020-12' | 'draft-7' = 'draft-2020-12'): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const { name, schema } of MESSAGES) registry.add(schema, { id: name });
  for (const [id, schema] of Object.entries(SHARED)) registry.add(schema, { id });
  const made = z.toJSONSchema(registry, { target, uri: (id) => `#/components/schemas/${id}` }).schemas;
  const notes = new Map(MESSAGES.map(({ name, note }) => [name, { title: note.title, description: note.summary }]));
  return Object.fromEntries(
    Object.entries(made).map(([name, { $schema: _dialect, $id: _id, ...schema }]) => [name, { ...(notes.get(name) ?? { title: name }), ...schema }]),
  );
}
