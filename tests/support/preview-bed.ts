import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { createFetcher } from '../../consumers/link-previewer/fetcher.ts';
import { type IntakePorts, linkPreviewer } from '../../consumers/link-previewer/group.ts';
import { type Look, lookUp, type LookOptions } from '../../consumers/link-previewer/look-up.ts';
import { createTeller } from '../../consumers/link-previewer/teller.ts';
import type { Resolve } from '../../consumers/outbound/addresses.ts';
import { createEventLogSource } from '../../consumers/runtime/event-log-source.ts';
import type { EventSource } from '../../consumers/runtime/event-source.ts';
import { groupService } from '../../consumers/runtime/group-runner.ts';
import type { Service } from '../../consumers/runtime/service.ts';
import { totalLag } from '../../consumers/runtime/stream-lag.ts';
import type { Sql } from '../../db/client.ts';
import type { PreviewNews, RoomAnnouncement } from '../../protocol/announcements.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { EventWriter } from './conversation.ts';
import { eventually } from './event-log.ts';
import { type TestDatabase, testDatabase } from './postgres.ts';
import { drain, insertChannel, insertUser } from './webhook-bed.ts';

const SOON = 20_000;

/** A web of one server, under the test's control: every name leads to it, by real HTTP on loopback. */
export class Web {
  /** What was asked for: host and path. */
  readonly asked: string[] = [];
  /** By host and path; others have their own name for a title. Null: no answer, ever. */
  readonly pages = new Map<string, { readonly status: number; readonly html: string } | null>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const address = `${request.headers.host?.replace(/:\d+$/, '') ?? ''}${request.url ?? ''}`;
      this.asked.push(address);
      const page = this.pages.get(address);
      if (page === null) return;
      response.writeHead(page?.status ?? 200, { 'content-type': 'text/html; charset=utf-8' }).end(page?.html ?? `<title>${address}</title>`);
    });
  }

  static async listen(): Promise<Web> {
    const web = new Web();
    await new Promise<void>((resolve) => web.#server.listen(0, '127.0.0.1', resolve));
    return web;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** `host/path` as a link to here. */
  url(address: string): string {
    return `http://${address.replace('/', `:${this.port}/`)}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A database, a channel, a web, and the group, fetcher and teller between them; rooms are a list of what they were told. */
export class PreviewBed {
  readonly database: TestDatabase;
  readonly web: Web;
  readonly author: string;
  readonly channel: string;
  readonly write: EventWriter;
  readonly told: PreviewNews[] = [];
  readonly looks: Look[] = [];
  readonly errors: unknown[] = [];
  resolve: Resolve = async () => ['127.0.0.1'];
  /** What a room does that is told. */
  announce: (announcement: RoomAnnouncement) => Promise<void> = async () => {};
  readonly #services: Service[] = [];

  static async start(): Promise<PreviewBed> {
    const database = await testDatabase();
    const { sql } = database.connection;
    // What the writer dates is not of today.
    await sql`INSERT INTO consumer_groups (group_id, started_at) VALUES ('link-previewer', 'epoch')`;
    const author = await insertUser(sql);
    return new PreviewBed(database, await Web.listen(), author, await insertChannel(sql, [author]));
  }

  private constructor(database: TestDatabase, web: Web, author: string, channel: string) {
    [this.database, this.web, this.author, this.channel, this.write] = [database, web, author, channel, new EventWriter(author)];
  }

  get sql(): Sql {
    return this.database.connection.sql;
  }

  async close(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()));
    await this.web.close();
    await this.database.drop();
  }

  startGroup(ports: Partial<IntakePorts> = {}): { readonly service: Service; readonly source: EventSource } {
    const { sql } = this;
    const group = linkPreviewer({ rules: { loopback: true, ownHost: null }, ...ports });
    const source = createEventLogSource({ databaseUrl: this.database.url, sql, groupId: group.id, topics: group.topics, onError: (error) => this.errors.push(error), batchRecords: 7 });
    const service = groupService(group, source, { sql, log: pino({ level: 'silent' }), chance: { now: () => new Date(), random: Math.random }, onTaken: () => {} });
    return { service: this.#run(service), source };
  }

  startFetcher({ atOnce = 4, gapMs = 0, leaseMs = 5_000, timeoutMs = 4_000 } = {}): Service {
    const options: LookOptions = { loopback: true, ownHost: null, resolve: (name) => this.resolve(name), timeoutMs, enter: () => () => {} };
    return this.#run(createFetcher({
      sql: this.sql, leaseMs, gapMs, random: Math.random, onLooked: (look) => this.looks.push(look), onError: (error) => this.errors.push(error),
      lookUp: (url, signal) => lookUp(url, options, signal),
    }, atOnce));
  }

  startTeller(): Service {
    const announcer = {
      announce: async (announcements: readonly unknown[]) => {
        for (const announcement of announcements as readonly RoomAnnouncement[]) {
          await this.announce(announcement);
          this.told.push(...(announcement.previews ?? []));
        }
      },
    };
    return this.#run(createTeller({ sql: this.sql, announcer, onTold: () => {}, onError: (error) => this.errors.push(error) }));
  }

  async drain(...events: readonly ChannelEvent[]): Promise<void> {
    await drain(this.sql, this.channel, events);
  }

  async quiet({ source }: { readonly source: EventSource }): Promise<void> {
    await eventually(async () => totalLag(await source.lag()) === 0, SOON, () => this.errors.map(String));
  }

  /** Until nothing waits for anything. */
  async settled(): Promise<void> {
    await eventually(async () => (await this.jobs()).length === 0, SOON, () => ({ looks: this.looks, errors: this.errors.map(String) }));
  }

  async jobs(): Promise<{ message_id: string; revision: number; urls: string[] }[]> {
    const rows = await this.sql<{ message_id: string; revision: number; urls: string[] }[]>`SELECT l.message_id::text, l.revision, to_json(l.urls) AS urls FROM link_messages l ORDER BY l.message_id`;
    return rows.map((row) => ({ ...row }));
  }

  async pages(): Promise<{ url: string | null; site: string; state: string; attempts: number; failure: string | null; lease: string | null }[]> {
    const rows = await this.sql<{ url: string | null; site: string; state: string; attempts: number; failure: string | null; lease: string | null }[]>`
      SELECT p.url, p.site, p.state, p.attempts, p.failure, p.lease::text FROM link_pages p ORDER BY p.requested_at, p.url`;
    return rows.map((row) => ({ ...row }));
  }

  /** What waits is due now, whatever was said before. */
  async hurry(): Promise<void> {
    await this.sql`UPDATE link_pages SET due_at = now() WHERE state = 'waiting' AND lease IS NULL`;
    await this.sql`UPDATE link_sites SET next_at = now() WHERE site NOT IN (SELECT p.site FROM link_pages p WHERE p.lease IS NOT NULL)`;
    await this.sql`UPDATE link_messages SET due_at = now() WHERE lease IS NULL`;
  }

  #run<S extends Service>(service: S): S {
    this.#services.push(service);
    void service.run();
    return service;
  }
}
