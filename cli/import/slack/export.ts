import type { z } from 'zod';
import { MAX_CHANNEL_NAME, MAX_TOPIC } from '../../../protocol/limits.ts';
import { Archive, ArchiveError } from './archive.ts';
import { channelsSchema, daySchema, dmsSchema, type SlackMessage, type SlackUser, usersSchema } from './schema.ts';
import type { Names } from './text.ts';

/** A conversation of the export, and the channel that it becomes. */
export interface Conversation {
  readonly id: string;
  readonly name: string;
  readonly kind: 'public' | 'private';
  readonly topic: string;
  /** Its files, a day each, in order. */
  readonly days: readonly string[];
}

/** A Slack export as it lies in its zip. */
export class SlackExport {
  readonly #archive: Archive;
  readonly conversations: readonly Conversation[];
  readonly names: Names;

  /** `includePrivate`: private channels and direct messages, too. */
  static async open(path: string, includePrivate: boolean): Promise<SlackExport> {
    const archive = await Archive.open(path);
    try {
      const users = await archive.read('users.json', usersSchema);
      const channels = await archive.read('channels.json', channelsSchema);
      const groups = includePrivate ? await maybe(archive, 'groups.json', channelsSchema) : [];
      const talks = includePrivate ? [...(await maybe(archive, 'dms.json', dmsSchema)), ...(await maybe(archive, 'mpims.json', dmsSchema))] : [];
      const names = namesOf(users, [...channels, ...groups]);
      return new SlackExport(archive, names, [
        ...channels.map((channel) => conversation(archive, channel.name, { ...channel, kind: 'public', topic: channel.topic?.value ?? '' })),
        ...groups.map((group) => conversation(archive, group.name, { ...group, kind: 'private', topic: group.topic?.value ?? '' })),
        ...talks.map(({ id, name, members }) =>
          conversation(archive, name ?? id, { id, name: `slack-${id.toLowerCase()}`, kind: 'private', topic: `Direct messages of ${members.map((member) => names.user(member)).join(', ')}` })),
      ]);
    } catch (error) {
      archive.close();
      throw error;
    }
  }

  private constructor(archive: Archive, names: Names, conversations: readonly Conversation[]) {
    this.#archive = archive;
    this.names = names;
    this.conversations = conversations;
    const twice = conversations.find(({ name }, n) => conversations.findIndex((other) => other.name === name) !== n);
    if (twice !== undefined) throw new ArchiveError('channels.json', `two channels would be called ${twice.name}`);
  }

  /** In the order in which they were said; one day's file is in memory at a time. */
  async *messages({ days }: Conversation): AsyncGenerator<SlackMessage> {
    for (const day of days) yield* (await this.#archive.read(day, daySchema)).toSorted((a, b) => Number(a.ts) - Number(b.ts) || a.ts.localeCompare(b.ts));
  }

  close(): void {
    this.#archive.close();
  }
}

const maybe = async <T>(archive: Archive, name: string, schema: z.ZodType<T[]>): Promise<T[]> => (archive.has(name) ? archive.read(name, schema) : []);

function conversation(archive: Archive, folder: string, { id, name, kind, topic }: Omit<Conversation, 'days'>): Conversation {
  const days = archive.names.filter((file) => file.startsWith(`${folder}/`) && /^\d{4}-\d{2}-\d{2}\.json$/.test(file.slice(folder.length + 1))).toSorted();
  return { id, name: channelName(name, id), kind, topic: topic.replaceAll('\u0000', '').slice(0, MAX_TOPIC).toWellFormed(), days };
}

/** A name that a channel may have: Slack's nearly always are. */
function channelName(name: string, id: string): string {
  const fit = name.replaceAll(/[^\p{L}\p{N}._-]/gu, '-').replace(/^[._-]+/, '').slice(0, MAX_CHANNEL_NAME).toWellFormed();
  return fit === '' ? `slack-${id.toLowerCase()}` : fit;
}

function namesOf(users: readonly SlackUser[], channels: readonly { readonly id: string; readonly name: string }[]): Names {
  const people = new Map(users.map(({ id, name, real_name, profile }) => [id, profile?.display_name || profile?.real_name || real_name || name || id]));
  const rooms = new Map(channels.map(({ id, name }) => [id, name]));
  return { user: (id) => people.get(id) ?? id, channel: (id) => rooms.get(id) ?? id };
}
