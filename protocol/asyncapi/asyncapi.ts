import { directoryEventSchema } from '../directory-events.ts';
import { channelEventSchema } from '../events.ts';
import { fileEventSchema } from '../file-events.ts';
import { inboxEventSchema } from '../inbox-events.ts';
import { presenceEventSchema } from '../presence.ts';
import { ceType, HEADERS } from '../topics.ts';
import { SUBPROTOCOL, TICKET_SUBPROTOCOL_PREFIX } from '../version.ts';
import { CHANNELS, HEARTBEAT, ref } from './channels.ts';
import { type JsonSchema, type Message, MESSAGES, schemas } from './messages.ts';
import { isCommand, OPERATIONS } from './operations.ts';

const HEADER_NOTES: Readonly<Record<keyof typeof HEADERS, { readonly description: string; readonly const?: string; readonly optional?: true }>> = {
  id: { description: 'The event\'s id.' },
  type: { description: 'The event\'s type with the major version of its shape. A consumer refuses a major version it does not know.' },
  source: { description: 'Who says so.', const: '/colink' },
  time: { description: 'When it was written to the event log. RFC 3339, UTC.' },
  specversion: { description: 'Of CloudEvents.', const: '1.0' },
  idempotencyKey: { description: 'The event\'s id again: whatever has it has happened.' },
  traceparent: { description: 'W3C trace context of the request that caused it.', optional: true },
  channelSeq: { description: 'The event\'s seq in its log, where it has one: the channel\'s, or the inbox\'s.', optional: true },
  position: { description: 'The place in the event log, a decimal number. It rises per key, so a repeated record is told by it.' },
};
const headerNames = Object.keys(HEADERS) as (keyof typeof HEADERS)[];

const recordHeaders: JsonSchema = {
  title: 'Headers of a record',
  description: 'CloudEvents 1.0 in binary mode, and Colink\'s own. All are text.',
  type: 'object',
  properties: Object.fromEntries(
    headerNames.map((name) => {
      const { optional: _optional, ...rest } = HEADER_NOTES[name];
      return [HEADERS[name], { type: 'string', ...rest }];
    }),
  ),
  required: headerNames.filter((name) => HEADER_NOTES[name].optional === undefined).map((name) => HEADERS[name]),
};

const heartbeats = {
  [HEARTBEAT.ping]: heartbeat('ping', 'A sign of life of the client', 'Answered by pong, without waking the server. A socket that is silent for three of them is closed.'),
  [HEARTBEAT.pong]: heartbeat('pong', 'The answer to ping', 'A client that gets none takes the connection for dead.'),
};

function heartbeat(text: string, title: string, summary: string): object {
  return { name: text, title, summary, contentType: 'text/plain', payload: { type: 'string', const: text }, examples: [{ payload: text }] };
}

/** `ce_type` by the type of an event. */
const RECORD_TYPES: ReadonlyMap<string, string> = new Map(
  [...channelEventSchema.options, ...directoryEventSchema.options, ...inboxEventSchema.options, ...fileEventSchema.options, presenceEventSchema].map(({ shape }) => [shape.type.value, ceType(shape.type.value)]),
);

function describe(message: Message): object {
  const { name, kind, type, note } = message;
  return {
    name: type,
    title: note.title,
    summary: note.summary,
    payload: ref('components', 'schemas', name),
    ...(isCommand(message) && { correlationId: ref('components', 'correlationIds', 'command') }),
    ...(type === 'result' && { correlationId: ref('components', 'correlationIds', 'result') }),
    ...(kind === 'event' && {
      headers: { allOf: [ref('components', 'schemas', 'RecordHeaders'), { type: 'object', properties: { [HEADERS.type]: { const: RECORD_TYPES.get(type) } } }] },
      bindings: { kafka: { key: { type: 'string' }, bindingVersion: '0.5.0' } },
    }),
    examples: note.examples.map((payload) => ({ payload })),
  };
}

/** The AsyncAPI 3.1 document of the sockets and topics. `asyncapi.json` at the root is this, held to it by `asyncapi.test.ts`. */
export const describeEvents = () => ({
  asyncapi: '3.1.0',
  info: {
    title: 'Colink sockets and topics',
    version: '1',
    description:
      `The frames of ${SUBPROTOCOL} over WebSockets, and the events on Kafka. The rules that frames keep to are in docs/protocol.md, ` +
      'the HTTP API is in openapi.json. Names begin with the sender: "server" is Colink, "client" is who connects. Schemas are JSON Schema 2020-12, ' +
      'and read the same as draft 7.',
    license: { name: 'MIT' },
  },
  defaultContentType: 'application/json',
  servers: {
    sockets: {
      host: '{host}',
      protocol: 'wss',
      description: 'The Worker.',
      variables: { host: { description: 'Where Colink is deployed.', default: 'localhost' } },
      security: [ref('components', 'securitySchemes', 'bearer'), ref('components', 'securitySchemes', 'ticket')],
    },
    kafka: { host: '{brokers}', protocol: 'kafka', description: 'The deployment\'s own brokers.', variables: { brokers: { description: 'KAFKA_BROKERS of the fleet.', default: 'localhost:9092' } } },
  },
  channels: CHANNELS,
  operations: OPERATIONS,
  components: {
    schemas: { ...schemas(), RecordHeaders: recordHeaders },
    messages: { ...Object.fromEntries(MESSAGES.map((message) => [message.name, describe(message)])), ...heartbeats },
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer', description: 'A personal or bot token of the scopes messages:read and messages:write.' },
      ticket: {
        type: 'httpApiKey',
        in: 'header',
        name: 'Sec-WebSocket-Protocol',
        description: `${SUBPROTOCOL}, ${TICKET_SUBPROTOCOL_PREFIX}<ticket>: a ticket of POST /v1/socket-tickets. It opens one socket, within 30 s.`,
      },
    },
    correlationIds: {
      command: { location: '$message.payload#/id', description: 'The client\'s own, repeated by the result.' },
      result: { location: '$message.payload#/re', description: 'The id of the command.' },
    },
  },
});
