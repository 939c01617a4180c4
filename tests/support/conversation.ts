import { uuidv7 } from 'uuidv7';
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

  constructor(actorId: string) {
    this.actorId = actorId;
  }

  #base() {
    return { seq: ++this.#seq, id: uuidv7(), at: new Date(1_795_000_000_000 + this.#seq).toISOString(), actor_id: this.actorId };
  }

  send(text = 'hello', origin: Created['origin'] = null): Created {
    const message_id = uuidv7();
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
    const message_id = uuidv7();
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

  memberAdded(userId: string): ChannelEvent {
    return { ...this.#base(), type: 'member.added', user_id: userId, role: 'member' };
  }
}
