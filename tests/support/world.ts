import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import { type Api, createApi } from '../../client/http.ts';
import { connect, type Connection, type Database, type Sql } from '../../db/client.ts';
import { insertCredential } from '../../db/queries/credentials.ts';
import { signIn } from '../../db/queries/users.ts';
import { issuerAt } from '../../dev/issuer.ts';
import { planPorts, type Ports } from '../../dev/ports.ts';
import { type Stack, type StackOptions, startStack } from '../../dev/stack.ts';
import type { TransportWish } from '../../dev/transport.ts';
import { type Scope, SESSION_SCOPES } from '../../protocol/scopes.ts';
import { signalPostgres } from './signal-postgres.ts';

export interface WorldUser {
  readonly id: string;
  readonly token: string;
  readonly api: Api;
}

export type WorldOptions = Pick<StackOptions, 'clamd' | 'linkPreviews' | 'postgresUrl' | 'postgresReplicaUrl' | 'vars' | 'fleetProcesses' | 'redis' | 'report' | 'consumers' | 'requestsPerMinute'>;

const HOUR_MS = 3_600_000;

/** A whole stack of its own, with data in a temporary directory, and people in it. */
export class World {
  readonly dataDir: string;
  readonly #options: StackOptions & { readonly ports: Ports };
  #stack: Stack;
  #connection: Connection;
  #isKept = false;

  static async start(name: string, transport: TransportWish, more: WorldOptions): Promise<World> {
    const { ports } = await planPorts('free');
    const dataDir = mkdtempSync(join(tmpdir(), `colink-${name}-`));
    // Postgres refuses root, and its stand-in has to enter.
    chmodSync(dataDir, 0o755);
    // Where files are not scanned, a test says itself what a scan has found.
    // And none asks the Internet for anything.
    const options = { dataDir, ports, transport, clamd: false, linkPreviews: false, ...more };
    return new World(options, await startStack(options));
  }

  private constructor(options: StackOptions & { ports: Ports }, stack: Stack) {
    this.dataDir = options.dataDir;
    this.#options = options;
    this.#stack = stack;
    this.#connection = connect(stack.describe().postgres_url, { max: 4, applicationName: 'colink-tests' });
  }

  get baseUrl(): string {
    return this.#stack.describe().url;
  }

  get postgresUrl(): string {
    return this.#stack.describe().postgres_url;
  }

  get db(): Database {
    return this.#connection.db;
  }

  get issuer(): string {
    return issuerAt(this.#options.ports.idp);
  }

  get sql(): Sql {
    return this.#connection.sql;
  }

  /** Null with the embedded transport. */
  get brokers(): string | null {
    return this.#stack.describe().kafka_brokers?.join(',') ?? null;
  }

  pids(): Readonly<Record<string, number>> {
    return this.#stack.describe().pids;
  }

  /** Someone with this handle and a token; alice and bob are those of the identity provider. */
  async user(handle: string, { tokenMs = HOUR_MS, scopes = SESSION_SCOPES }: { tokenMs?: number; scopes?: readonly Scope[] } = {}): Promise<WorldUser> {
    const { issuer } = this;
    const signedIn = await this.db.transaction((tx) => signIn(tx, { issuer, subject: handle, handles: [handle], display_name: handle }, new Date()));
    if ('problem' in signedIn) throw new Error(`${handle}: ${signedIn.problem.code}`);
    const { id } = signedIn.ok.user;
    const token = `colink_pat_${randomBytes(32).toString('base64url')}`;
    const secret_hash = createHash('sha256').update(token).digest();
    const expires_at = new Date(Date.now() + tokenMs);
    await insertCredential(this.db, { id: uuidv7(), secret_hash, kind: 'personal', user_id: id, name: 'tests', scopes, expires_at });
    return { id, token, api: createApi({ baseUrl: this.baseUrl, token }) };
  }

  /** The id of a new public channel of the first of these, which the others have joined. */
  async channel(name: string, [owner, ...others]: readonly WorldUser[]): Promise<string> {
    if (!owner) throw new Error('a channel has an owner');
    const { id } = await owner.api.createChannel({ name, kind: 'public', topic: '' });
    for (const { api } of others) await api.join(id);
    return id;
  }

  /** Stops everything and starts it again on the same data and ports. */
  async restart(): Promise<void> {
    await this.#connection.close();
    await this.#stack.stop();
    this.#stack = await startStack(this.#options);
    this.#connection = connect(this.#stack.describe().postgres_url, { max: 4, applicationName: 'colink-tests' });
  }

  /** Postgres neither answers nor ends: what a partition of the network looks like from outside. */
  pausePostgres(): void {
    this.#signalPostgres('SIGSTOP');
  }

  resumePostgres(): void {
    this.#signalPostgres('SIGCONT');
  }

  /** Leaves the data directory, with all logs, where it is, and says where: for a look after a failure. */
  keep(): void {
    if (!this.#isKept) console.error(`the stack's data and logs stay in ${this.dataDir}`);
    this.#isKept = true;
  }

  async close(): Promise<void> {
    await this.#connection.close(1);
    await this.#stack.stop();
    if (!this.#isKept) rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 3 });
  }

  #signalPostgres(signal: NodeJS.Signals): void {
    const postmaster = this.pids()['postgres'];
    if (postmaster === undefined) throw new Error('Postgres does not run');
    signalPostgres(postmaster, signal);
  }
}

export const startWorld = (name: string, transport: TransportWish = 'embedded', more: WorldOptions = {}): Promise<World> => World.start(name, transport, more);
