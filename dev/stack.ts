import { mkdirSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { connect } from '../db/client.ts';
import { migrate } from '../db/migrate.ts';
import { seed } from '../db/seed.ts';
import { DEMO_ACCOUNTS } from './accounts.ts';
import { type Component, detect, isPresent } from './components.ts';
import { removeDevFile, writeDevFile, type DevFile } from './dev-file.ts';
import { type HeldPorts, holdPorts } from './held-ports.ts';
import { AUDIENCE, FIRST_ADMIN, issuerAt } from './issuer.ts';
import { pooledUrl } from './pooler.ts';
import { firstLine } from './first-line.ts';
import { endLeftovers } from './leftovers.ts';
import { buildPage } from './page.ts';
import { startClamd, startRedis, type OptionalParts } from './optional-parts.ts';
import { fleetPart, type FleetSettings, identityPart, kafkaPart, poolerPart, postgresPart, workerPart } from './parts.ts';
import { answersAny, differentPorts, type PortName, type PortPlan, type Ports, type PortWish } from './ports.ts';
import { type StartPart, Supervisor } from './supervisor.ts';
import { chooseTransport, type TransportChoice, type TransportWish } from './transport.ts';
import { persistentVapid, type VapidVariables } from './vapid-keys.ts';

export interface StackOptions {
  /** Holds all data, logs and `dev.json`. Two stacks share none. */
  readonly dataDir: string;
  /** Default `free`. */
  readonly ports?: PortWish;
  /** The Worker's port, whatever the others are; it rejects if that is taken. */
  readonly port?: number;
  /** A Postgres that runs already, instead of one of our own. */
  readonly postgresUrl?: string;
  /** Its streaming replica, for the Worker to read from. Default: none. */
  readonly postgresReplicaUrl?: string;
  /** Default false: the Worker's connections to the primary go by a pool, if there is a pgbouncer, as Hyperdrive's do in production. */
  readonly pooler?: boolean;
  /** Default `auto`: `KAFKA_BROKERS`, else a broker of our own, else embedded. */
  readonly transport?: TransportWish;
  /** Default true: a second cache level, by `UPSTASH_REDIS_REST_URL` and `_TOKEN` or by a Redis of our own if there is a redis-server. */
  readonly redis?: boolean;
  /** Default true: files are scanned, by `CLAMD_ADDRESS` or by a clamd of our own if there is one. Needs `consumers`. */
  readonly clamd?: boolean;
  /** Default true: pages are looked up that messages link to, on loopback and in the Internet. */
  readonly linkPreviews?: boolean;
  /** Default true. Without them events stay in `event_log`. */
  readonly consumers?: boolean;
  /** How many processes relay, and how many run the groups (default 1): with more, the relay has as many shards. */
  readonly fleetProcesses?: number;
  /** Default true: builds the page if it is older than its sources. */
  readonly page?: boolean;
  /** Another entry than the Worker's own; it has to export all that one does. */
  readonly entry?: string;
  /** Instead of those of the configuration. */
  readonly compatibilityFlags?: readonly string[];
  /** Of a user, by each policy; instead of the quotas of the configuration, for who asks faster than people do. */
  readonly requestsPerMinute?: number;
  /** Over the Worker's variables. */
  readonly vars?: Readonly<Record<string, string>>;
  /** Ends a start under way. */
  readonly signal?: AbortSignal;
  /** Takes a line when a part runs, and when one dies or comes back. */
  readonly report?: (line: PartLine) => void;
}

export interface PartLine {
  readonly part: string;
  /** Where it listens; empty for news of a part already named. */
  readonly address: string;
  readonly note: string;
}

/** What runs, and how to end it. */
export interface Stack {
  readonly dataDir: string;
  /** As in `dev.json`, at this moment. */
  describe(): DevFile;
  /** Ends all in order: fleet, relay, Worker, Kafka, Redis, clamd, pool, Postgres last. */
  stop(): Promise<void>;
}

const ROOT = join(import.meta.dirname, '..');
const CLIENT_ID = 'colink-dev';
const identityVars = (port: number) => ({ OIDC_ISSUER: issuerAt(port), OIDC_CLIENT_ID: CLIENT_ID, OIDC_AUDIENCE: AUDIENCE, FIRST_ADMIN_SUBJECT: FIRST_ADMIN });
const PORTS_OF = {
  postgres: ['postgres'],
  pooler: ['pooler'],
  kafka: ['kafka', 'kafkaController'],
  idp: ['idp'],
  redis: ['redis'],
  redis_rest: ['redisRest'],
  clamd: ['clamd'],
  worker: ['worker'],
  fleet: ['fleet'],
  relay: ['relay'],
} as const satisfies Record<string, readonly PortName[]>;
/** Parts of one group end together, group after group. */
const STOP_ORDER = [['fleet'], ['relay'], ['worker', 'idp'], ['kafka', 'redis_rest', 'redis', 'clamd', 'pooler'], ['postgres']];

/** Starts everything on loopback and resolves when it serves. If a part without which nothing works fails, all is stopped and it rejects. */
export async function startStack(options: StackOptions): Promise<Stack> {
  mkdirSync(join(options.dataDir, 'logs'), { recursive: true });
  await endLeftovers(options.dataDir, (note) => options.report?.({ part: '', address: '', note }));
  const transport = chooseTransport(options.transport ?? 'auto', process.env['KAFKA_BROKERS'], detect());
  const assembly = new Assembly(options, transport, await holdPorts(options.ports ?? 'free', options.port));
  try {
    await Promise.race([assembly.start(), aborted(options.signal)]);
    return assembly;
  } catch (error) {
    await assembly.stop();
    throw error;
  }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

class Assembly implements Stack {
  readonly dataDir: string;
  readonly #ports: Ports;
  readonly #held: HeldPorts;
  readonly #options: StackOptions;
  readonly #supervisor: Supervisor;
  #transport: TransportChoice;
  #isUp = false;
  /** The secret that the fleet and the Worker share while this stack runs. */
  readonly #fleetToken = randomBytes(24).toString('base64url');
  readonly #vapid: VapidVariables;
  readonly #pgbouncer: Component;

  constructor(options: StackOptions, transport: TransportChoice, { ports, taken, held }: PortPlan & { readonly held: HeldPorts }) {
    this.#options = options;
    this.#pgbouncer = (options.pooler ?? false) ? detect().pgbouncer : { missing: 'not asked for' };
    this.#transport = transport;
    this.#ports = ports;
    this.#held = held;
    this.dataDir = options.dataDir;
    this.#vapid = persistentVapid(join(options.dataDir, 'vapid.json'));
    this.#supervisor = new Supervisor({ onChange: () => this.#publish(), report: (line) => this.#news(line) });
    for (const [name, port] of Object.entries(taken)) this.#news(`port ${port} (${name}) is taken, another is used`);
  }

  async start(): Promise<void> {
    const withConsumers = this.#options.consumers ?? true;
    const optional = this.#optionalParts();
    const redis = startRedis(optional, this.#options.redis ?? true);
    const clamd = withConsumers ? startClamd(optional, this.#options.clamd ?? true) : Promise.resolve('');
    const record = this.#startRecord();
    await Promise.all([record, this.#startPooler(record), this.#startKafka(), this.#startIdentity(), redis, clamd, this.#startWorker(redis)]);
    if (withConsumers) await this.#startConsumers(await redis, await clamd);
    await this.#held.releaseAll();
    this.#isUp = true;
    this.#publish();
  }

  describe(): DevFile {
    const ports = this.#ports;
    const withConsumers = this.#options.consumers ?? true;
    const isKafka = this.#transport.kind !== 'embedded';
    return {
      url: `http://127.0.0.1:${ports.worker}`,
      postgres_url: this.#postgresUrl(),
      kafka_brokers: isKafka ? [...this.#brokers()] : null,
      event_transport: isKafka ? 'kafka' : 'embedded',
      fleet_url: withConsumers ? `http://127.0.0.1:${ports.fleet}` : null,
      relay_url: withConsumers && isKafka ? `http://127.0.0.1:${ports.relay}` : null,
      pids: this.#supervisor.pids(),
      accounts: DEMO_ACCOUNTS.map(({ handle }) => handle),
      supervisor_pid: process.pid,
    };
  }

  async stop(): Promise<void> {
    this.#isUp = false;
    this.#supervisor.close();
    await this.#held.releaseAll();
    for (const group of STOP_ORDER) await Promise.all(group.flatMap((name) => this.#processesOf(name)).map((name) => this.#supervisor.stop(name)));
    removeDevFile(this.dataDir);
  }

  #postgresUrl(): string {
    return this.#options.postgresUrl ?? `postgres://colink@127.0.0.1:${this.#ports.postgres}/colink`;
  }

  #brokers(): readonly string[] {
    if (this.#transport.kind === 'given') return this.#transport.brokers;
    return this.#transport.kind === 'own' ? [`127.0.0.1:${this.#ports.kafka}`] : [];
  }

  async #startRecord(): Promise<void> {
    const since = performance.now();
    const { postgresUrl } = this.#options;
    if (postgresUrl === undefined) await this.#add('postgres', postgresPart(this.dataDir, this.#ports.postgres, (line) => this.#news(line)));
    await migrate(this.#postgresUrl());
    const { db, close } = connect(this.#postgresUrl(), { max: 1, applicationName: 'colink-seed' });
    await seed(db, issuerAt(this.#ports.idp), DEMO_ACCOUNTS, new Date()).finally(() => close());
    this.#line('postgres', new URL(this.#postgresUrl()).host, `the record${postgresUrl ? ', as given' : ''}; migrated and seeded, ${seconds(since)}`);
  }

  async #startPooler(record: Promise<void>): Promise<void> {
    if (!isPresent(this.#pgbouncer)) return;
    await record;
    await this.#add('pooler', poolerPart(this.dataDir, this.#pgbouncer.path, this.#ports.pooler, this.#postgresUrl()));
    this.#line('pooler', `127.0.0.1:${this.#ports.pooler}`, 'keeps connections to Postgres for the Worker');
  }

  async #startKafka(): Promise<void> {
    if (this.#transport.kind === 'own') await this.#startOwnKafka(this.#transport.wanted);
    const { kind, why } = this.#transport;
    if (kind === 'embedded') return this.#line('events', '', `embedded transport, consumers read event_log: ${why}`);
    const isSilent = kind === 'given' && !(await answersAny(this.#brokers()));
    this.#line('kafka', this.#brokers().join(','), `event transport: ${why}${isSilent ? '; none answers now, events wait in event_log' : ''}`);
  }

  async #startOwnKafka(wanted: boolean): Promise<void> {
    if (!isPresent(detect().kafkaJars)) this.#news('getting Kafka with Maven: 43 MB, this once');
    try {
      await this.#add('kafka', kafkaPart(this.dataDir, this.#ports.kafka, this.#ports.kafkaController));
    } catch (error) {
      if (wanted) throw error;
      this.#transport = { kind: 'embedded', why: `Kafka did not start: ${firstLine(error)}` };
    }
  }

  async #startIdentity(): Promise<void> {
    const { idp, worker } = this.#ports;
    const redirectUris = ['127.0.0.1', 'localhost'].map((host) => `http://${host}:${worker}/auth/callback`);
    await this.#add('idp', identityPart(this.dataDir, { port: idp, clientId: CLIENT_ID, redirectUris, keysFile: join(this.dataDir, 'identity-keys.json') }));
    this.#line('identity', issuerAt(idp), 'OpenID provider for development, no passwords');
  }

  #optionalParts(): OptionalParts {
    return {
      dataDir: this.dataDir,
      ports: this.#ports,
      add: (part, start) => this.#add(part, start),
      line: (part, address, note) => this.#line(part, address, note),
    };
  }

  async #startWorker(redis: Promise<Record<string, string>>): Promise<void> {
    const { worker, idp } = this.#ports;
    const page = (this.#options.page ?? true) ? await buildPage(ROOT) : 'page as it was built';
    const since = performance.now();
    const settings = {
      configFile: join(ROOT, 'wrangler.toml'),
      ...(this.#options.entry && { entry: this.#options.entry }),
      ...(this.#options.compatibilityFlags && { compatibilityFlags: [...this.#options.compatibilityFlags] }),
      ...(this.#options.requestsPerMinute && { requestsPerMinute: this.#options.requestsPerMinute }),
      port: worker,
      storageDir: join(this.dataDir, 'worker'),
      bundleDir: join(this.dataDir, 'bundle'),
      postgresUrl: isPresent(this.#pgbouncer) ? pooledUrl(this.#postgresUrl(), this.#ports.pooler) : this.#postgresUrl(),
      ...(this.#options.postgresReplicaUrl && { postgresReplicaUrl: this.#options.postgresReplicaUrl }),
      vars: { ENVIRONMENT: 'development', ...identityVars(idp), FLEET_TOKEN: this.#fleetToken, ...this.#vapid.worker, ...(await redis), ...this.#options.vars },
    };
    await this.#add('worker', workerPart(this.dataDir, settings));
    this.#line('worker', `127.0.0.1:${worker}`, `API, sockets, Durable Objects in workerd, ${seconds(since)}; ${page}`);
  }

  async #startConsumers(redis: Record<string, string>, clamdAddress: string): Promise<void> {
    const { fleet, relay, worker } = this.#ports;
    const brokers = this.#brokers();
    const common = { postgresUrl: this.#postgresUrl(), brokers, workerUrl: `http://127.0.0.1:${worker}`, fleetToken: this.#fleetToken, vapid: this.#vapid.fleet, redis, clamdAddress, linkPreviews: (this.#options.linkPreviews ?? true) ? 'loopback' : 'off', relayShards: this.#fleetProcesses } as const;
    const more = await differentPorts(2 * (this.#fleetProcesses - 1), Object.values(this.#ports));
    const starts = [this.#startFleet('fleet', [fleet, ...more.slice(this.#fleetProcesses - 1)], { ...common, run: 'groups' })];
    if (brokers.length > 0) starts.push(this.#startFleet('relay', [relay, ...more], { ...common, run: 'relay' }));
    await Promise.all(starts);
    if (brokers.length > 0) this.#line('relay', `127.0.0.1:${relay}`, 'event_log to Kafka; metrics at /metrics');
    this.#line('fleet', `127.0.0.1:${fleet}`, 'consumer groups; metrics at /metrics');
  }

  /** All processes of the relay, or of the groups, each on the next of these ports. */
  async #startFleet(part: 'fleet' | 'relay', ports: readonly number[], settings: Omit<FleetSettings, 'name' | 'port'>): Promise<void> {
    await Promise.all(this.#processesOf(part).map((name, index) => this.#add(part, fleetPart(this.dataDir, { ...settings, name, port: ports[index] ?? 0 }), name)));
  }

  get #fleetProcesses(): number {
    return this.#options.fleetProcesses ?? 1;
  }

  /** A part is one process of its own name, but for the relay and the groups. */
  #processesOf(part: string): string[] {
    const count = part === 'fleet' || part === 'relay' ? this.#fleetProcesses : 1;
    return Array.from({ length: count }, (_, index) => (index === 0 ? part : `${part}_${index + 1}`));
  }

  /** Starts a part on its ports, which are held until that very moment. */
  async #add(part: keyof typeof PORTS_OF, start: StartPart, name: string = part): Promise<void> {
    await this.#held.release(...PORTS_OF[part]);
    await this.#supervisor.add(name, start).catch((error: unknown) => {
      throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    });
  }

  #publish(): void {
    if (this.#isUp) writeDevFile(this.dataDir, this.describe());
  }

  #line(part: string, address: string, note: string): void {
    this.#options.report?.({ part, address, note });
  }

  #news(note: string): void {
    this.#line('', '', note);
  }
}

const seconds = (since: number): string => `${((performance.now() - since) / 1_000).toFixed(1)} s`;
