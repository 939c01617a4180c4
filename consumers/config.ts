import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { RedisAddress } from './cache-invalidator/redis.ts';
import type { ClamdAddress } from './file-scanner/clamd-session.ts';
import type { WorkerAddress } from './worker-calls.ts';

const ROLES = ['relay', 'groups', 'all'] as const;

/** Each shard reads all new rows of the log to find its own: more than so many cost Postgres more than they carry. */
const MOST_RELAY_SHARDS = 16;

const environmentSchema = z.object({
  DATABASE_URL: z.url({ protocol: /^postgres(?:ql)?$/ }),
  /** Comma-separated `host:port`. Without it the embedded transport is used. */
  KAFKA_BROKERS: z.string().default(''),
  KAFKA_REPLICATION_FACTOR: z.coerce.number().int().min(1).default(1),
  /** Into how many shards the relay is laid out. Whichever process starts last decides for all. */
  RELAY_SHARDS: z.coerce.number().int().min(1).max(MOST_RELAY_SHARDS).default(1),
  PORT: z.coerce.number().int().min(0).max(65_535).default(0),
  /** Where health and metrics are served. */
  HOST: z.string().default('127.0.0.1'),
  /** Where the Worker is reached, and the secret it knows as FLEET_TOKEN. Without both nobody is notified. */
  WORKER_URL: z.union([z.literal(''), z.url({ protocol: /^https?$/ })]).default(''),
  FLEET_TOKEN: z.string().default(''),
  /** The second cache level, by Upstash's REST protocol. Without both nothing is deleted there. */
  UPSTASH_REDIS_REST_URL: z.union([z.literal(''), z.url({ protocol: /^https?$/ })]).default(''),
  UPSTASH_REDIS_REST_TOKEN: z.string().default(''),
  /** Where this is: anything but `development` is production. */
  ENVIRONMENT: z.string().default('production'),
  /** Webhooks may go to loopback, and there without TLS: for programs under development, and refused elsewhere. */
  WEBHOOKS_TO_LOOPBACK: z.enum(['', 'true']).default(''),
  /** `off`: nothing is looked up at the links of messages. `loopback`: pages on loopback are, too; for development, and refused elsewhere. */
  LINK_PREVIEWS: z.enum(['', 'on', 'off', 'loopback']).default('on').transform((mode) => (mode === '' ? 'on' : mode)),
  /** Where clamd listens, as `host:port`. Without it the group `file-scanner` does not run, and files wait for their scan. */
  CLAMD_ADDRESS: z.union([z.literal(''), z.string().regex(/^[^\s/:]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i, 'must be host:port')]).default(''),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** The names of all variables that configure the fleet. */
export const FLEET_VARIABLES: readonly string[] = Object.keys(environmentSchema.shape);

export interface FleetConfig {
  readonly run: (typeof ROLES)[number];
  readonly databaseUrl: string;
  /** Empty: the embedded transport. */
  readonly brokers: readonly string[];
  readonly replicationFactor: number;
  /** From 1 to 16. */
  readonly relayShards: number;
  /** Null: the groups `notifier`, `room-announcer`, `user-redactor` and `link-previewer` do not run. */
  readonly worker: WorkerAddress | null;
  /** Null: the group `cache-invalidator` does not run. */
  readonly redis: RedisAddress | null;
  /** Whether webhooks may go to loopback. Never in production. */
  readonly webhooksToLoopback: boolean;
  /** Whether pages are looked up that messages link to, and `loopback` among them. Never that in production. */
  readonly linkPreviews: 'on' | 'off' | 'loopback';
  /** Null: the group `file-scanner` does not run. */
  readonly clamd: ClamdAddress | null;
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
}

/** @throws with a message for a person if an argument or a variable is missing or bad. */
export function readConfig(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): FleetConfig {
  const { values } = parseArgs({ args: [...args], options: { run: { type: 'string', default: 'all' } } });
  const run = ROLES.find((role) => role === values.run);
  if (run === undefined) throw new Error(`--run must be one of ${ROLES.join(', ')}`);
  const parsed = environmentSchema.safeParse(environment);
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
  const { DATABASE_URL, KAFKA_BROKERS, KAFKA_REPLICATION_FACTOR, RELAY_SHARDS, HOST, PORT, LOG_LEVEL } = parsed.data;
  const brokers = KAFKA_BROKERS.split(',').map((broker) => broker.trim()).filter((broker) => broker !== '');
  if (run === 'relay' && brokers.length === 0) throw new Error('--run relay needs KAFKA_BROKERS');
  const webhooksToLoopback = parsed.data.WEBHOOKS_TO_LOOPBACK === 'true';
  if (webhooksToLoopback && parsed.data.ENVIRONMENT !== 'development') throw new Error('WEBHOOKS_TO_LOOPBACK is for ENVIRONMENT=development alone');
  const linkPreviews = parsed.data.LINK_PREVIEWS;
  if (linkPreviews === 'loopback' && parsed.data.ENVIRONMENT !== 'development') throw new Error('LINK_PREVIEWS=loopback is for ENVIRONMENT=development alone');
  const worker = readAddress(parsed.data, 'WORKER_URL', 'FLEET_TOKEN');
  const redis = readAddress(parsed.data, 'UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN');
  const relayShards = RELAY_SHARDS;
  const clamd = clamdOf(parsed.data.CLAMD_ADDRESS, worker);
  return {
    run, databaseUrl: DATABASE_URL, brokers, replicationFactor: KAFKA_REPLICATION_FACTOR, relayShards, worker, redis, clamd, webhooksToLoopback, linkPreviews, host: HOST, port: PORT, logLevel: LOG_LEVEL,
  };
}

/** Where a service is, and the secret for it: both, or neither. */
function readAddress<N extends string>(environment: Readonly<Record<N, string>>, urlName: N, tokenName: N): { url: string; token: string } | null {
  const { [urlName]: url, [tokenName]: token } = environment;
  if ((url === '') !== (token === '')) throw new Error(`${urlName} and ${tokenName} go together`);
  return url === '' ? null : { url, token };
}

/** What is to be scanned comes from the Worker. */
function clamdOf(address: string, worker: WorkerAddress | null): ClamdAddress | null {
  if (address === '') return null;
  if (worker === null) throw new Error('CLAMD_ADDRESS needs WORKER_URL and FLEET_TOKEN');
  const { hostname, port } = new URL(`tcp://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
}
