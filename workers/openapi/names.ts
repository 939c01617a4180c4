import type { Described } from './operations.ts';

/** Groups of routes, by the first part of their path. A group that is not here fails `workers/openapi.test.ts`. */
export const TAGS = [
  { name: 'admin', description: 'For administrators: people, bots, dead letters, restarts' },
  { name: 'auth', description: 'Signing in and out' },
  { name: 'bootstrap', description: 'What a first paint needs' },
  { name: 'channels', description: 'Channels, their members, messages, reactions, files and read markers' },
  { name: 'direct-channels', description: 'Conversations of a set of people, of which there is one of each set' },
  { name: 'files', description: 'Uploading, reading and deleting files' },
  { name: 'hooks', description: 'Incoming webhooks, as programs post to them' },
  { name: 'invitation-acceptances', description: 'Coming in by an invitation' },
  { name: 'invitations', description: 'Links by which people come in' },
  { name: 'me', description: 'The caller: profile, presence, notifications, credentials' },
  { name: 'messages', description: 'Messages, by links to them' },
  { name: 'operations', description: 'Whether the service runs, and how' },
  { name: 'search', description: 'Messages, files and people' },
  { name: 'slack', description: 'What programs that are written against Slack call' },
  { name: 'socket-tickets', description: 'Tickets with which browsers open sockets' },
  { name: 'unsubscribe', description: 'Ending digests by e-mail, by the link in one of them' },
  { name: 'users', description: 'People' },
  { name: 'webhooks', description: 'Events, sent to endpoints of programs' },
];

/** Names and groups each operation that did not say so itself: `getChannelsByIdMessages`. */
export function nameOperations(operations: readonly Described[]): void {
  for (const { method, path, operation } of operations) {
    const parts = path.split('/').filter((part) => part !== '' && part !== 'v1');
    operation.operationId ??= method + parts.map((part) => (part.startsWith('{') ? `By${camel(part.slice(1, -1))}` : camel(part))).join('');
    operation.tags ??= [tagOf(path, parts)];
    // For everybody, unless the route has said otherwise.
    operation.security ??= [];
  }
}

/** What is outside `/v1`, of one part, is of operations: `/health`. */
const tagOf = (path: string, [first = '', ...more]: readonly string[]): string => (more.length === 0 && !path.startsWith('/v1/') ? 'operations' : first);
const camel = (part: string): string => part.split(/[^A-Za-z0-9]+/).map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
