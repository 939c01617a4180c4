import { deepStrictEqual } from 'node:assert';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type BreakerState, guardClamd } from '../../consumers/file-scanner/breaker.ts';
import { clamdAt } from '../../consumers/file-scanner/clamd.ts';
import { workerFiles } from '../../consumers/file-scanner/file-store.ts';
import { fileScanner } from '../../consumers/file-scanner/group.ts';
import type { ScanOutcome, ScanPorts } from '../../consumers/file-scanner/scan.ts';
import { createScanner } from '../../consumers/file-scanner/scanner.ts';
import { createThumbnailer } from '../../consumers/file-scanner/thumbnailer.ts';
import { createEventLogSource } from '../../consumers/runtime/event-log-source.ts';
import { groupService } from '../../consumers/runtime/group-runner.ts';
import type { Service } from '../../consumers/runtime/service.ts';
import type { Sql } from '../../db/client.ts';
import { countScans } from '../../db/queries/file-scans.ts';
import type { Child } from '../../dev/child.ts';
import { startClamd } from '../../dev/clamd.ts';
import { detect, isPresent } from '../../dev/components.ts';
import { freePort } from '../../dev/ports.ts';
import { fileEventSchema } from '../../protocol/file-events.ts';
import { ContentServer, eventsOf, storedFile, storedScan, upload, type Uploader } from './content-server.ts';
import { createConversation } from './conversation.ts';
import { eventually } from './event-log.ts';
import { type TestDatabase, testDatabase } from './postgres.ts';

export const MIB = 1024 * 1024;
export const SOON = 20_000;
/** The real one takes 30 s. */
const REST_MS = 400;

const found = detect().clamd;
/** Whether this machine has a clamd. */
export const hasClamd = isPresent(found);

/** A database, contents, a real clamd, and the group and scanners between them. */
export class ScanBed {
  readonly database: TestDatabase;
  readonly server: ContentServer;
  readonly clamdPort: number;
  readonly outcomes: ScanOutcome[] = [];
  readonly states: BreakerState[] = [];
  clamd: Child | null = null;
  readonly #uploader: Uploader;
  readonly #folder: string;
  readonly #services: Service[] = [];

  static async start(): Promise<ScanBed> {
    const [database, server, folder, port] = [await testDatabase(), await ContentServer.start(), await mkdtemp(join(tmpdir(), 'colink-scan-')), await freePort()];
    await chmod(folder, 0o755);
    const bed = new ScanBed({ database, server }, await createConversation(database.connection.sql), folder, port);
    await bed.startClamd();
    return bed;
  }

  private constructor({ database, server }: Pick<ScanBed, 'database' | 'server'>, uploader: Uploader, folder: string, port: number) {
    [this.database, this.server, this.#uploader, this.#folder, this.clamdPort] = [database, server, uploader, folder, port];
  }

  get sql(): Sql {
    return this.database.connection.sql;
  }

  async close(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()));
    await this.stopClamd();
    await this.server.close();
    await this.database.drop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async startClamd(maxBytes = 4 * MIB): Promise<void> {
    const folder = this.#folder;
    this.clamd = await startClamd({ command: isPresent(found) ? found.path : '', dataDir: join(folder, 'clamd'), port: this.clamdPort, logFile: join(folder, 'clamd.log'), maxBytes });
  }

  /** By SIGKILL, and at once: what it scans breaks off. */
  async killClamd(): Promise<void> {
    if (this.clamd === null) return;
    process.kill(this.clamd.pid, 'SIGKILL');
    await this.clamd.exited;
    this.clamd = null;
  }

  async stopClamd(): Promise<void> {
    await this.clamd?.stop();
    this.clamd = null;
  }

  startScanner(atOnce = 4): Service {
    const ports: ScanPorts = {
      sql: this.sql,
      log: pino({ level: 'silent' }),
      clamd: guardClamd(clamdAt({ host: '127.0.0.1', port: this.clamdPort }), { failures: 5, restMs: REST_MS, onState: (state) => this.states.push(state) }),
      store: workerFiles(this.server.address),
      thumbnailer: createThumbnailer(),
      leaseMs: 2_000, tryMs: 30_000, retry: { first: 40, most: 200 }, awayMs: 50, random: Math.random,
      onScanned: (outcome) => this.outcomes.push(outcome),
    };
    return this.#run(createScanner(ports, atOnce));
  }

  startGroup(): Service {
    const { sql } = this;
    const source = createEventLogSource({ databaseUrl: this.database.url, sql, groupId: 'file-scanner', topics: ['file.events'], onError: () => {} });
    const chance = { now: () => new Date(), random: Math.random };
    return this.#run(groupService(fileScanner, source, { sql, log: pino({ level: 'silent' }), chance, onTaken: () => {} }));
  }

  /** Has the group read its topic from the start again, as if it had read nothing. */
  async replay(group: Service): Promise<Service> {
    await group.stop();
    await this.sql`DELETE FROM consumer_keys WHERE group_id = 'file-scanner'`;
    await this.sql`DELETE FROM consumer_offsets WHERE group_id = 'file-scanner'`;
    return this.startGroup();
  }

  upload(content: Buffer | string, mediaType?: string): Promise<string> {
    return upload(this.sql, this.server, this.#uploader, content, mediaType);
  }

  file(id: string) {
    return storedFile(this.sql, id);
  }

  scan(id: string) {
    return storedScan(this.sql, id);
  }

  events(id: string): Promise<unknown[]> {
    return eventsOf(this.sql, id);
  }

  async untilStatus(id: string, status: string): Promise<void> {
    await eventually(async () => (await this.file(id))?.status === status, SOON, () => this.outcomes);
  }

  async untilState(id: string, state: string): Promise<void> {
    await eventually(async () => (await this.scan(id))?.state === state, SOON, () => this.outcomes);
  }

  async untilWaiting(files: number): Promise<void> {
    await eventually(async () => (await countScans(this.sql)).waiting === files, SOON);
  }

  /** Throws where a file has not one verdict, told once, by an event that is what the table holds. */
  async expectOneVerdict(id: string, status: 'clean' | 'infected'): Promise<void> {
    const [file, scan, events] = [await this.file(id), await this.scan(id), (await this.events(id)).map((event) => fileEventSchema.parse(event))];
    const told = { type: 'file.updated', version: 2, actor_id: this.#uploader.userId, status, thumbnails: file?.thumbnails };
    deepStrictEqual(events.map((event) => ({ type: event.type, version: event.version, actor_id: event.actor_id, status: event.file.status, thumbnails: event.file.thumbnails })), [told]);
    deepStrictEqual([file?.status, file?.version, scan?.state, scan?.lease, scan?.attempts], [status, 2, status, null, 0]);
  }

  #run(service: Service): Service {
    this.#services.push(service);
    void service.run();
    return service;
  }
}
