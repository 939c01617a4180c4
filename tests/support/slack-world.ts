import type { WebClient } from '@slack/web-api';
import { uuidv7 } from 'uuidv7';
import { slackClient } from './slack.ts';
import { startWorld, type World, type WorldUser } from './world.ts';

/** Two people with the official client each, and a public channel that both are in. */
export interface SlackWorld {
  readonly world: World;
  /** Owns the channels; her token may make webhooks. */
  readonly alice: WorldUser;
  readonly bob: WorldUser;
  /** Hers, and his. */
  readonly slack: WebClient;
  readonly bobs: WebClient;
  readonly channel: string;
  /** A new one of alice and these. */
  newChannel(...members: WorldUser[]): Promise<string>;
}

export async function startSlackWorld(name: string): Promise<SlackWorld> {
  const world = await startWorld(name);
  const alice = await world.user('alice', { scopes: ['messages:read', 'messages:write', 'channels:read', 'channels:write', 'webhooks'] });
  const bob = await world.user('bob');
  const [slack, bobs] = [slackClient(world.baseUrl, alice.token), slackClient(world.baseUrl, bob.token)];
  const newChannel = (...members: WorldUser[]) => world.channel(`c-${uuidv7()}`, [alice, ...members]);
  return { world, alice, bob, slack, bobs, newChannel, channel: await world.channel('general-talk', [alice, bob]) };
}

/** Of a message that was answered. */
export const tsOf = (answer: { ts?: string | undefined }): string => answer.ts ?? '';
