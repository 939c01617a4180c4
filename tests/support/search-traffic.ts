import { setTimeout as sleep } from 'node:timers/promises';
import { uuidv7 } from 'uuidv7';
import type { Connection } from '../../db/client.ts';
import { drainBatch } from '../../db/queries/drain.ts';
import { appendDirectoryEvent } from '../../db/queries/directory-events.ts';
import { findUser, signIn } from '../../db/queries/users.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { ceType } from '../../protocol/topics.ts';
import { createConversation, EventWriter } from './conversation.ts';
import { foldIndex } from './fold.ts';

type Created = Extract<ChannelEvent, { type: 'message.created' }>;

interface Channel {
  readonly id: string;
  readonly write: EventWriter;
  readonly events: ChannelEvent[];
  readonly open: Created[];
}

const WORDS = ['engine', 'pattern', 'loom', 'weaving', 'running', 'numbers', 'notes', 'cards', '東京都', 'xylophone'];
const STATES = ['pending_scan', 'clean', 'infected'] as const;

/** People, files and channels that change at random, as rooms and the directory write them: the row and its event in one transaction. */
export class SearchTraffic {
  readonly #connection: Connection;
  readonly #random: () => number;
  readonly channels: Channel[] = [];
  readonly #people: string[] = [];
  readonly #files: string[] = [];
  #running = new AbortController();
  #work: Promise<void> = Promise.resolve();
  steps = 0;

  constructor(connection: Connection, random: () => number) {
    this.#connection = connection;
    this.#random = random;
  }

  async open(channels: number): Promise<void> {
    for (let n = 0; n < channels; n += 1) {
      const { channelId: id, userId } = await createConversation(this.#connection.sql);
      this.channels.push({ id, write: new EventWriter(userId), events: [], open: [] });
      await this.tellOf(userId);
    }
  }

  /** That a user was created, whose row a test has put there. */
  async tellOf(userId: string): Promise<void> {
    await this.#connection.db.transaction(async (tx) => {
      const found = await findUser(tx, userId);
      if (found === null) throw new Error('there is no such user');
      const { id, handle, display_name, role } = found;
      await appendDirectoryEvent(tx, { type: 'user.created', id: uuidv7(), at: new Date().toISOString(), actor_id: userId, user: { id, handle, display_name, role }, version: 1 });
    });
  }

  /** Messages that stay as they are. */
  async say(texts: readonly string[]): Promise<string[]> {
    const channel = this.channels[0];
    if (channel === undefined) throw new Error('no channel is open');
    const events = texts.map((text) => channel.write.send(text));
    await this.#drain(channel, events);
    return events.map(({ message_id }) => message_id);
  }

  /** Step after step, with so many milliseconds between. */
  start(pauseMs = 0): void {
    this.#running = new AbortController();
    const { signal } = this.#running;
    this.#work = (async () => {
      for (; !signal.aborted; await sleep(pauseMs)) await this.step();
    })();
  }

  async stop(): Promise<void> {
    this.#running.abort();
    await this.#work;
  }

  async step(): Promise<void> {
    this.steps += 1;
    const dice = this.#random();
    if (dice < 0.75) await this.#converse();
    else if (dice < 0.88) await this.#changePerson();
    else await this.#changeFile();
  }

  /** What the index of messages is to be, by id. */
  expected(): Map<string, string> {
    return new Map(this.channels.flatMap(({ events }) => [...foldIndex(events)].map(([id, { text }]) => [id, text] as const)));
  }

  async #converse(): Promise<void> {
    const channel = this.#one(this.channels);
    if (channel === undefined) return;
    await this.#drain(channel, Array.from({ length: 1 + Math.floor(this.#random() * 8) }, () => this.#speak(channel)));
  }

  #speak({ write, open }: Channel): ChannelEvent {
    const text = `${this.#one(WORDS)} ${this.#one(WORDS)} ${this.steps}`;
    const message = this.#one(open);
    const dice = this.#random();
    if (message === undefined || dice < 0.45) {
      const sent = write.send(text);
      open.push(sent);
      return sent;
    }
    if (dice < 0.7) return write.edit(message, text);
    if (dice < 0.8) return write.react(message);
    open.splice(open.indexOf(message), 1);
    return write.delete(message);
  }

  async #drain(channel: Channel, events: readonly ChannelEvent[]): Promise<void> {
    const { status } = await drainBatch(this.#connection.sql, { channelId: channel.id, epoch: 1, fence: 1, eventsJson: JSON.stringify(events) });
    if (status !== 'ok') throw new Error(`the drain says ${status}`);
    channel.events.push(...events);
  }

  #one<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)];
  }

  async #changePerson(): Promise<void> {
    const known = this.#random() < 0.5 ? undefined : this.#one(this.#people);
    const subject = known ?? uuidv7();
    const display_name = `${this.#one(WORDS)} ${this.steps}`;
    await this.#connection.db.transaction(async (tx) => {
      const signed = await signIn(tx, { issuer: 'https://idp.test', subject, handles: [`h-${subject}`], display_name }, new Date());
      if (!('ok' in signed) || this.#random() < 0.7) return;
      const { id } = signed.ok.user;
      const [row] = await tx.execute<{ version: number }>(`UPDATE users SET deactivated_at = now(), version = version + 1 WHERE id = '${id}' RETURNING version`);
      const event = { type: 'user.updated', id: uuidv7(), at: new Date().toISOString(), actor_id: id, user: signed.ok.user, deactivated: true, version: row?.version ?? 1 } as const;
      await appendDirectoryEvent(tx, event);
    });
    if (known === undefined) this.#people.push(subject);
  }

  /** A file is uploaded, scanned one way or another, or deleted. */
  async #changeFile(): Promise<void> {
    const { sql } = this.#connection;
    const channel = this.#one(this.channels);
    if (channel === undefined) return;
    const known = this.#random() < 0.4 ? undefined : this.#one(this.#files);
    const id = known ?? uuidv7();
    const isDeleted = known !== undefined && this.#random() < 0.3;
    await sql.begin(async (tx) => {
      await tx`
        INSERT INTO files AS f (id, channel_id, uploader_id, name, media_type, size, sha256, created_at)
        VALUES (${id}, ${channel.id}, ${channel.write.actorId}, ${`${this.#one(WORDS)}-${this.steps}.pdf`}, 'application/pdf', 1, ${'0'.repeat(64)}, now())
        ON CONFLICT (id) DO UPDATE SET version = f.version + 1, status = ${this.#one(STATES) ?? 'clean'}, deleted_at = CASE WHEN ${isDeleted} THEN now() END
        WHERE f.deleted_at IS NULL`;
      const type = isDeleted ? 'file.deleted' : known === undefined ? 'file.uploaded' : 'file.updated';
      await tx`
        INSERT INTO event_log (topic, key, event_id, type, data)
        SELECT 'file.events', f.id, e.id, ${ceType(type)}, jsonb_build_object('type', ${type}::text, 'id', e.id, 'at', ${new Date().toISOString()}::text, 'actor_id', f.uploader_id,
          'version', f.version, 'file', jsonb_build_object('id', f.id, 'channel_id', f.channel_id, 'uploader_id', f.uploader_id, 'name', f.name, 'media_type', f.media_type,
            'size', f.size, 'sha256', f.sha256, 'status', f.status, 'thumbnails', f.thumbnails, 'created_at', ${new Date().toISOString()}::text))
        FROM files f, (SELECT ${uuidv7()}::uuid AS id) e WHERE f.id = ${id}`;
    });
    if (known === undefined) this.#files.push(id);
    if (isDeleted) this.#files.splice(this.#files.indexOf(id), 1);
  }
}
