import { randomInt } from 'node:crypto';
import { UUID, uuidv7 } from 'uuidv7';
import type { Sql } from '../../db/client.ts';
import type { ChannelEvent } from '../../protocol/events.ts';

/** A channel in Postgres with a log and nobody in it. Returns its id and its creator's. */
export async function createConversation(sql: Sql): Promise<{ channelId: string; userId: string }> {
  const channelId = uuidv7();
  const userId = uuidv7();
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${userId}, 'https://idp.test', ${userId}, ${userId}, 'Test')`;
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${channelId}, 'public', ${channelId}, ${userId})`;
  await sql`INSERT INTO conversation_logs (channel_id) VALUES (${channelId})`;
  return { channelId, userId };
}

type Created = Extract<ChannelEvent, { type: 'message.created' }>;

/** Writes the events of a channel as its room would: gapless `seq`, `pos` of top-level messages, `tpos` by thread. */
export class EventWriter {
  #seq = 0;
  #pos = 0;
  readonly #tpos = new Map<string, number>();
  readonly actorId: string;
  readonly #newId: () => string;

  /** `clock`: the writer's own, in milliseconds since 1970, which its ids tell; by default that of this machine. */
  constructor(actorId: string, clock?: () => number) {
    this.actorId = actorId;
    this.#newId = clock === undefined ? uuidv7 : () => idAt(clock());
  }

  #base() {
    return { seq: ++this.#seq, id: this.#newId(), at: new Date(1_795_000_000_000 + this.#seq).toISOString(), actor_id: this.actorId };
  }

  send(text = 'hello', origin: Created['origin'] = null): Created {
    const message_id = this.#newId();
    return {
      ...this.#base(),
      type: 'message.created',
      message_id,
      client_msg_id: message_id,
      text,
      pos: ++this.#pos,
      thread_id: null,
      tpos: null,
      origin,
    };
  }

  reply(root: { message_id: string }, text = 'yes'): Created {
    const tpos = (this.#tpos.get(root.message_id) ?? 0) + 1;
    this.#tpos.set(root.message_id, tpos);
    const message_id = this.#newId();
    const place = { pos: null, thread_id: root.message_id, tpos };
    return { ...this.#base(), type: 'message.created', message_id, client_msg_id: message_id, text, ...place, origin: null };
  }

  edit({ message_id }: { message_id: string }, text: string, revision = 2): ChannelEvent {
    return { ...this.#base(), type: 'message.edited', message_id, text, revision };
  }

  delete({ message_id, thread_id }: Pick<Created, 'message_id' | 'thread_id'>): ChannelEvent {
    return { ...this.#base(), type: 'message.deleted', message_id, thread_id };
  }

  react({ message_id }: { message_id: string }, emoji = '👍'): ChannelEvent {
    return { ...this.#base(), type: 'reaction.added', message_id, emoji };
  }

  unreact({ message_id }: { message_id: string }, emoji = '👍'): ChannelEvent {
    return { ...this.#base(), type: 'reaction.removed', message_id, emoji };
  }

  pin({ message_id }: { message_id: string }): ChannelEvent {
    return { ...this.#base(), type: 'message.pinned', message_id };
  }

  unpin({ message_id }: { message_id: string }): ChannelEvent {
    return { ...this.#base(), type: 'message.unpinned', message_id };
  }

  preview({ message_id }: { message_id: string }, title = 'A page', revision = 1): Extract<ChannelEvent, { type: 'message.previewed' }> {
    return { ...this.#base(), type: 'message.previewed', message_id, revision, previews: [{ url: 'https://page.example/', title, description: null, site_name: 'Pages' }] };
  }

  removePreviews({ message_id }: { message_id: string }): ChannelEvent {
    return { ...this.#base(), type: 'message.previews_removed', message_id };
  }

  memberAdded(userId: string): ChannelEvent {
    return { ...this.#base(), type: 'member.added', user_id: userId, role: 'member' };
  }
}

/** As a process makes it whose clock says so, were it to make no other in that millisecond. */
const idAt = (milliseconds: number): string => UUID.fromFieldsV7(milliseconds, randomInt(2 ** 12), randomInt(2 ** 30), randomInt(2 ** 32)).toString();
