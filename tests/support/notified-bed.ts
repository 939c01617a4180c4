import type { Sql } from '../../db/client.ts';
import { type FleetProcess, startFleetProcess } from './fleet.ts';
import { type TestDatabase, testDatabase } from './postgres.ts';
import { insertNotice, insertPerson, type NoticeWishes } from './push-bed.ts';
import { StoredRoom } from './stored-room.ts';

export interface Person {
  readonly id: string;
  readonly credentialId: string;
}

/** A message of Ann's, and the notice that Ben has of it. */
export interface Notified {
  readonly notice: string;
  readonly messageId: string;
  readonly sent: { readonly id: string; readonly author: string; readonly thread: null };
}

/** What tests of senders stand on: a database of their own, in which Ann and Ben share a private channel, and Ben has notices of what she writes. */
export class NotifiedBed {
  readonly database: TestDatabase;
  readonly sql: Sql;
  readonly ann: Person;
  readonly ben: Person;
  readonly room: StoredRoom;
  /** Of Ben's last notice. */
  seq = 0;
  readonly #fleets: FleetProcess[] = [];

  static async open(): Promise<NotifiedBed> {
    const database = await testDatabase();
    const { sql } = database.connection;
    const [ann, ben] = [await insertPerson(sql), await insertPerson(sql)];
    const room = new StoredRoom(sql);
    await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${room.id}, 'private', 'engine', ${ann.id})`;
    await sql`INSERT INTO conversation_logs (channel_id) VALUES (${room.id})`;
    for (const { id } of [ann, ben]) await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${room.id}, ${id}, 1)`;
    return new NotifiedBed(database, ann, ben, room);
  }

  private constructor(database: TestDatabase, ann: Person, ben: Person, room: StoredRoom) {
    this.database = database;
    this.sql = database.connection.sql;
    [this.ann, this.ben, this.room] = [ann, ben, room];
  }

  /** Ben is notified of a message of Ann's. */
  async notify(text: string, wishes: Partial<NoticeWishes> = {}): Promise<Notified> {
    const messageId = await this.room.send(this.ann.id, text);
    this.seq += 1;
    const notice = await insertNotice(this.sql, { userId: this.ben.id, seq: this.seq, authorId: this.ann.id, channelId: this.room.id, messageId, pos: this.room.pos, ...wishes });
    return { notice, messageId, sent: { id: messageId, author: this.ann.id, thread: null } };
  }

  /** As its own process, on this database and without a broker. It lives until it is ended, at the latest with the bed. */
  async startFleet(environment: Readonly<Record<string, string>>): Promise<FleetProcess> {
    const fleet = await startFleetProcess({ DATABASE_URL: this.database.url, ...environment });
    this.#fleets.push(fleet);
    return fleet;
  }

  async close(): Promise<void> {
    await Promise.all(this.#fleets.map((fleet) => fleet.end('SIGKILL')));
    await this.database.drop();
  }
}
