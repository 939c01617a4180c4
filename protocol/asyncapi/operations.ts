import type { Topic } from '../topics.ts';
import { CHANNELS, HEARTBEAT, ref, type Reference, TOPICS_WITH_MESSAGES } from './channels.ts';
import { CLIENT_FRAMES, type Message, SERVER_FRAMES } from './messages.ts';

export interface Operation {
  readonly action: 'send' | 'receive';
  readonly title: string;
  readonly channel: Reference;
  readonly messages: readonly Reference[];
  readonly reply?: { readonly channel: Reference; readonly messages: readonly Reference[] };
}

const of = (channel: string, names: readonly string[]): Reference[] => names.map((name) => ref('channels', channel, 'messages', name));
const at = (channel: string) => ({ channel: ref('channels', channel) });

type Frames = readonly Message[];
const named = (frames: Frames, type: string): string[] => frames.filter((frame) => frame.type === type).map(({ name }) => name);
/** A command has an id, which its result repeats. */
export function isCommand({ kind, note: { examples: [example] } }: Message): boolean {
  return kind === 'client' && typeof example === 'object' && example !== null && 'id' in example;
}

const receive = (channel: string, title: string, frames: readonly string[], replies: readonly string[] = []): Operation => ({
  action: 'receive',
  title,
  ...at(channel),
  messages: of(channel, frames),
  ...(replies.length > 0 && { reply: { ...at(channel), messages: of(channel, replies) } }),
});
const send = (channel: string, title: string, frames: readonly string[]): Operation => ({ action: 'send', title, ...at(channel), messages: of(channel, frames) });

/** What a socket takes and sends, from the server's side. */
function socketOperations(channel: 'room' | 'inbox', client: Frames, server: Frames): Record<string, Operation> {
  const commands = client.filter((frame) => isCommand(frame)).map(({ name }) => name);
  const watches = named(client, 'watch');
  const notices = client.map(({ name }) => name).filter((name) => !commands.includes(name) && !watches.includes(name));
  const pushed = server.filter(({ type }) => type !== 'result').map(({ name }) => name);
  return {
    [`${channel}.command`]: receive(channel, 'Take a command, and answer it', commands, named(server, 'result')),
    [`${channel}.notice`]: receive(channel, 'Take what needs no answer', notices),
    ...(watches.length > 0 && { [`${channel}.watch`]: receive(channel, 'Tell who is present', watches, named(server, 'presence')) }),
    [`${channel}.push`]: send(channel, 'Tell what happens', pushed),
    [`${channel}.heartbeat`]: receive(channel, 'Answer a heartbeat', [HEARTBEAT.ping], [HEARTBEAT.pong]),
  };
}

const relay = (topic: Topic): Operation => send(topic, `Relay what was committed to ${topic}`, Object.keys(CHANNELS[topic]?.messages ?? {}));

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  ...socketOperations('room', CLIENT_FRAMES.room, SERVER_FRAMES.room),
  ...socketOperations('inbox', CLIENT_FRAMES.inbox, SERVER_FRAMES.inbox),
  ...Object.fromEntries(TOPICS_WITH_MESSAGES.map((topic) => [`${topic}.relay`, relay(topic)])),
};
