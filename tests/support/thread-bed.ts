import { deepEqual, equal } from 'node:assert/strict';
import { uuidv7 } from 'uuidv7';
import { leaveChannel } from '../../db/queries/members.ts';
import { chooseFollowing, markThreadRead } from '../../db/queries/threads.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { EventWriter } from './conversation.ts';
import type { TestDatabase } from './postgres.ts';
import { drain, insertChannel } from './webhook-bed.ts';

export const NAMES = ['ann', 'ben', 'cas', 'dan'] as const;
type Name = (typeof NAMES)[number];
type Created = Extract<ChannelEvent, { type: 'message.created' }>;

/** What the test knows of somebody and a thread, in a way of its own: what happened, in its order. */
type Happening = { readonly kind: 'root' } | { readonly kind: 'replied' | 'named' | 'followed' | 'unfollowed'; readonly tpos: number };

/** From which reply on, or null: one pass over what happened. */
function sinceOf(happened: readonly Happening[]): number | null {
  let [auto, since, isHeld]: [number | null, number | null, boolean] = [null, null, false];
  let chosen = false;
  for (const one of happened) {
    if (one.kind === 'followed') {
      if (since === null) [since, chosen, isHeld] = [one.tpos, true, false];
      continue;
    }
    if (one.kind === 'unfollowed') {
      [since, chosen, isHeld] = [null, true, true];
      continue;
    }
    const from = one.kind === 'root' ? 0 : one.kind === 'named' ? one.tpos - 1 : one.tpos;
    auto = Math.min(auto ?? from, from);
    if (!chosen) since = auto;
    if (isHeld && one.kind === 'named') [since, isHeld] = [one.tpos - 1, false];
  }
  return since;
}

/** A channel of four, whose threads are drained as a room does it; and what the test knows of them, kept in another way. */
export class ThreadBed {
  readonly #database: TestDatabase;

  readonly users = new Map<Name, { readonly id: string; readonly handle: string; readonly credential: string }>();
  readonly members = new Set<Name>(NAMES);
  readonly happened = new Map<string, Happening[]>();
  readonly roots: Created[] = [];
  readonly replies: Created[] = [];
  readonly deleted = new Set<string>();
  readonly read = new Map<string, number>();
  readonly drained = new Map<string, number>();
  channel = '';
  #writer = new EventWriter('');
  #waiting: ChannelEvent[] = [];

  constructor(database: TestDatabase) {
    this.#database = database;
  }

  async start(): Promise<this> {
    for (const name of NAMES) {
      const [id, credential] = [uuidv7(), uuidv7()];
      const handle = `${name}-${id.slice(-6)}`;
      await this.#database.connection.sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${id}, 'test', ${id}, ${handle}, ${name})`;
      await this.#database.connection.sql`
        INSERT INTO credentials (id, secret_hash, kind, user_id, name, scopes, expires_at)
        VALUES (${credential}, ${Buffer.from(credential)}, 'personal', ${id}, 'test', '{}', now() + interval '1 hour')`;
      this.users.set(name, { id, handle, credential });
    }
    this.channel = await insertChannel(this.#database.connection.sql, [...this.users.values()].map(({ id }) => id), 'public');
    return this;
  }

  user = (name: Name) => this.users.get(name) ?? { id: '', handle: '', credential: '' };
  #listOf = (root: string, name: Name): Happening[] => {
    const key = `${root} ${name}`;
    const list = this.happened.get(key) ?? [];
    this.happened.set(key, list);
    return list;
  };
  request = (root: string, name: Name) => ({ credentialId: this.user(name).credential, userId: this.user(name).id, channelId: this.channel, rootId: root });

  root(by: Name): Created {
    const event = { ...this.#writer.send(), actor_id: this.user(by).id };
    this.roots.push(event);
    this.#waiting.push(event);
    return event;
  }

  reply(root: Created, by: Name, named: readonly Name[] = []): Created {
    const text = ['hear', ...named.map((name) => `@${this.user(name).handle}`)].join(' ');
    const event = { ...this.#writer.reply(root, text), actor_id: this.user(by).id };
    this.replies.push(event);
    this.#waiting.push(event);
    return event;
  }

  delete(message: Created): void {
    this.deleted.add(message.message_id);
    this.#waiting.push({ ...this.#writer.delete(message), actor_id: message.actor_id });
  }

  /** `cut`: into batches of so many events. */
  async drain(cut: () => number): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, cut());
      await drain(this.#database.connection.sql, this.channel, batch);
      for (const event of batch) this.#note(event);
    }
  }

  #note(event: ChannelEvent): void {
    if (event.type !== 'message.created' || event.thread_id === null || event.tpos === null) return;
    const { thread_id, tpos } = event;
    this.drained.set(thread_id, tpos);
    const root = this.roots.find(({ message_id }) => message_id === thread_id);
    for (const name of this.members) {
      const { id, handle } = this.user(name);
      if (root?.actor_id === id) this.#listOf(thread_id, name).push({ kind: 'root' });
      if (event.actor_id === id) this.#listOf(thread_id, name).push({ kind: 'replied', tpos });
      else if (event.text.split(' ').includes(`@${handle}`)) this.#listOf(thread_id, name).push({ kind: 'named', tpos });
    }
  }

  async choose(root: Created, name: Name, follows: boolean): Promise<void> {
    const chosen = await this.#database.connection.db.transaction((tx) => chooseFollowing(tx, this.request(root.message_id, name), follows));
    equal('ok' in chosen && chosen.ok.state.following, follows);
    this.#listOf(root.message_id, name).push({ kind: follows ? 'followed' : 'unfollowed', tpos: this.drained.get(root.message_id) ?? 0 });
  }

  async leave(name: Name): Promise<void> {
    const { id, credential } = this.user(name);
    const change = { channelId: this.channel, userId: id, actorId: id, credentialId: credential, eventId: uuidv7(), now: new Date(), traceparent: null };
    deepEqual(await this.#database.connection.db.transaction((tx) => leaveChannel(tx, change)), { ok: true });
    this.members.delete(name);
    for (const key of this.happened.keys()) if (key.endsWith(` ${name}`)) this.happened.delete(key);
  }

  async join(name: Name): Promise<void> {
    const { id } = this.user(name);
    await this.#database.connection.sql`DELETE FROM former_members WHERE channel_id = ${this.channel} AND user_id = ${id}`;
    await this.#database.connection.sql`INSERT INTO members (channel_id, user_id, version) VALUES (${this.channel}, ${id}, 9)`;
    this.members.add(name);
  }

  /** `wanted` may be beyond what is drained. */
  async mark(root: Created, name: Name, wanted: number): Promise<void> {
    const key = `${root.message_id} ${name}`;
    const last = this.drained.get(root.message_id) ?? 0;
    const stands = Math.max(this.read.get(key) ?? 0, Math.min(wanted, last));
    deepEqual(await this.#database.connection.db.transaction((tx) => markThreadRead(tx, this.request(root.message_id, name), wanted, new Date())), {
      ok: { tpos: stands, isMoved: stands > (this.read.get(key) ?? -1), isCut: wanted > last },
    });
    this.read.set(key, stands);
  }

  expected(root: Created, name: Name) {
    const key = `${root.message_id} ${name}`;
    const since = sinceOf(this.happened.get(key) ?? []);
    const [last, read] = [this.drained.get(root.message_id) ?? 0, Math.max(since ?? 0, this.read.get(key) ?? 0)];
    const live = this.replies.filter(({ thread_id, message_id }) => thread_id === root.message_id && !this.deleted.has(message_id));
    const unread = live.filter(({ tpos, actor_id }) => (tpos ?? 0) > read && actor_id !== this.user(name).id);
    return { following: since !== null, last_tpos: last, read_tpos: read, reply_count: live.length, unread_replies: unread.length };
  }
}
