import { z } from 'zod';
import { counterSchema } from '../primitives.ts';
import { RESUME_DAYS } from '../limits.ts';
import { deadLetterTopic, topicOf, TOPICS, type Topic } from '../topics.ts';
import { SUBPROTOCOL, TICKET_SUBPROTOCOL_PREFIX } from '../version.ts';
import { CHANNEL_EVENTS, CLIENT_FRAMES, DIRECTORY_EVENTS, FILE_EVENTS, INBOX_EVENTS, type JsonSchema, type Message, PRESENCE_EVENTS, SERVER_FRAMES } from './messages.ts';

export interface Channel {
  readonly address: string;
  readonly title: string;
  readonly description: string;
  readonly servers: readonly Reference[];
  readonly parameters?: Readonly<Record<string, { readonly description: string }>>;
  readonly messages?: Readonly<Record<string, Reference>>;
  readonly bindings: object;
}
export interface Reference {
  readonly $ref: string;
}

export const ref = (...path: readonly string[]): Reference => ({ $ref: `#/${path.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}` });

/** The heartbeat of every socket is text, not JSON. */
export const HEARTBEAT = { ping: 'socket.client.ping', pong: 'socket.server.pong' } as const;

const MS_OF_DAY = 86_400_000;

const cursor = z.strictObject({
  epoch: z.int().min(1).optional().meta({ description: 'Of the log that since counts in. Goes with since.' }),
  since: counterSchema.optional().meta({ description: `The last seq the client has: everything after it is sent, for ${RESUME_DAYS} days, or recovered is false.` }),
});

const handshakeHeaders: JsonSchema = {
  type: 'object',
  properties: {
    Authorization: { type: 'string', description: 'Bearer and a token. Programs send it; a browser cannot.' },
    Origin: { type: 'string', description: 'Of a page: must be the deployment\'s own, or one that it allows.' },
    'Sec-WebSocket-Protocol': {
      type: 'string',
      description: `${SUBPROTOCOL}, and of a browser ${TICKET_SUBPROTOCOL_PREFIX}<ticket> beside it. The answer names ${SUBPROTOCOL} only.`,
    },
  },
};

function socketBinding(): object {
  const { $schema: _dialect, additionalProperties: _closed, ...query } = z.toJSONSchema(cursor);
  return { ws: { method: 'GET', query, headers: handshakeHeaders, bindingVersion: '0.1.0' } };
}

const references = (names: readonly string[]): Record<string, Reference> => Object.fromEntries(names.map((name) => [name, ref('components', 'messages', name)]));
const namesOf = (messages: readonly Message[]): string[] => messages.map(({ name }) => name);

const socket = (address: string, title: string, description: string, frames: readonly Message[]): Channel => ({
  address,
  title,
  description,
  servers: [ref('servers', 'sockets')],
  messages: references([...namesOf(frames), HEARTBEAT.ping, HEARTBEAT.pong]),
  bindings: socketBinding(),
});

const TOPIC_KEYS: Readonly<Record<Topic, string>> = {
  'message.events': 'the channel\'s id',
  'user.events': 'the user\'s id',
  'channel.events': 'the channel\'s id',
  'presence.events': 'the user\'s id',
  'file.events': 'the file\'s id',
};
const LOGGED = [...CHANNEL_EVENTS, ...DIRECTORY_EVENTS, ...INBOX_EVENTS, ...PRESENCE_EVENTS, ...FILE_EVENTS];
const topicNames = Object.keys(TOPICS) as Topic[];
const messagesOf = (name: Topic): Message[] => LOGGED.filter(({ type }) => topicOf(type) === name);

function topic(name: Topic): Channel {
  const { partitions, retentionDays } = TOPICS[name];
  const messages = messagesOf(name);
  return {
    address: name,
    title: `The topic ${name}`,
    description: `Keyed by ${TOPIC_KEYS[name]}, which keeps its order. At least once: log_position rises per key.${messages.length === 0 ? ' Nothing is written to it yet.' : ''}`,
    servers: [ref('servers', 'kafka')],
    ...(messages.length > 0 && { messages: references(namesOf(messages)) }),
    bindings: { kafka: { topic: name, partitions, topicConfiguration: { 'cleanup.policy': ['delete'], 'retention.ms': retentionDays * MS_OF_DAY }, bindingVersion: '0.5.0' } },
  };
}

/** What a consumer gave up on: key, value and headers as they were, with the story of the failure in headers `dlq.*`. */
const deadLetters = (name: Topic): Channel => ({
  ...topic(name),
  address: deadLetterTopic(name),
  title: `The dead letters of ${name}`,
  description: 'Records that a consumer gave up on: key, value and headers as they were, and headers dlq.* that tell how it came to that.',
  bindings: { kafka: { topic: deadLetterTopic(name), bindingVersion: '0.5.0' } },
});

export const TOPICS_WITH_MESSAGES = topicNames.filter((name) => messagesOf(name).length > 0);

export const CHANNELS: Readonly<Record<string, Channel>> = {
  room: {
    ...socket('/v1/channels/{id}/socket', 'A channel', 'The live events of a channel, and commands to it.', [...CLIENT_FRAMES.room, ...SERVER_FRAMES.room]),
    parameters: { id: { description: 'The channel\'s id, a UUID in lower case.' } },
  },
  inbox: socket('/v1/me/socket', 'The inbox of the caller', 'What concerns a user, over all channels and devices.', [...CLIENT_FRAMES.inbox, ...SERVER_FRAMES.inbox]),
  ...Object.fromEntries(topicNames.map((name) => [name, topic(name)])),
  ...Object.fromEntries(TOPICS_WITH_MESSAGES.map((name) => [deadLetterTopic(name), deadLetters(name)])),
};
