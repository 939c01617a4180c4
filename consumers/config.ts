import { createECDH } from 'node:crypto';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { RedisAddress } from './cache-invalidator/redis.ts';
import type { ClamdAddress } from './file-scanner/clamd-session.ts';
import type { SmtpSettings } from './notification-sender/smtp.ts';
import type { VapidKeys } from './notification-sender/web-push.ts';
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
  /** Webhooks, and pushes, may go to loopback, and there without TLS: for programs under development, and refused elsewhere. */
  WEBHOOKS_TO_LOOPBACK: z.enum(['', 'true']).default(''),
  /** `off`: nothing is looked up at the links of messages. `loopback`: pages on loopback are, too; for development, and refused elsewhere. */
  LINK_PREVIEWS: z.enum(['', 'on', 'off', 'loopback']).default('on').transform((mode) => (mode === '' ? 'on' : mode)),
  /** Where clamd listens, as `host:port`. Without it the group `file-scanner` does not run, and files wait for their scan. */
  CLAMD_ADDRESS: z.union([z.literal(''), z.string().regex(/^[^\s/:]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i, 'must be host:port')]).default(''),
  /** The private key of Web Push (VAPID): 32 bytes in base64url; and where push services reach who runs this, `mailto:` or `https:`. Without both no pushes are sent. */
  VAPID_PRIVATE_KEY: z.union([z.literal(''), z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in base64url')]).default(''),
  VAPID_SUBJECT: z.union([z.literal(''), z.url({ protocol: /^https$/ }), z.string().regex(/^mailto:[^\s@]+@[^\s@]+$/, 'must be mailto: or https:')]).default(''),
  /** The server by which digests are mailed, `smtp:` (with STARTTLS) or `smtps:`, with user and password where it asks for them; and from whom. Without both none are. */
  SMTP_URL: z.union([z.literal(''), z.url({ protocol: /^smtps?$/ })]).default(''),
  MAIL_FROM: z.union([z.literal(''), z.string().regex(/^(?:[^<>@\p{Cc}]{1,80} <[^\s<>@,]+@[^\s<>@,]+>|[^\s<>@,]+@[^\s<>@,]+)$/u, 'must be an address, or a name and an address in angle brackets')]).default(''),
  /** Where people find the page, for links in mails, and so that its own are not looked up; empty: at WORKER_URL. */
  PUBLIC_URL: z.union([z.literal(''), z.url({ protocol: /^https?$/ })]).default(''),
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
  /** Whether webhooks and pushes may go to loopback. Never in production. */
  readonly webhooksToLoopback: boolean;
  /** Where people find the page. Null: no Worker is known. */
  readonly publicUrl: string | null;
  /** Whether pages are looked up that messages link to, and `loopback` among them. Never that in production. */
  readonly linkPreviews: 'on' | 'off' | 'loopback';
  /** Null: the group `file-scanner` does not run. */
  readonly clamd: ClamdAddress | null;
  /** Null: no pushes are sent. */
  readonly vapid: VapidKeys | null;
  /** Null: no digests are mailed. */
  readonly smtp: SmtpSettings | null;
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
  const vapid = vapidOf(parsed.data);
  const smtp = smtpOf(parsed.data, worker);
  return {
    run, databaseUrl: DATABASE_URL, brokers, replicationFactor: KAFKA_REPLICATION_FACTOR, relayShards, worker, redis, clamd, vapid, smtp, webhooksToLoopback, publicUrl: parsed.data.PUBLIC_URL || worker?.url || null, linkPreviews, host: HOST, port: PORT, logLevel: LOG_LEVEL,
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

/** The public key is the private one's. */
function vapidOf({ VAPID_PRIVATE_KEY: privateKey, VAPID_SUBJECT: subject }: { VAPID_PRIVATE_KEY: string; VAPID_SUBJECT: string }): VapidKeys | null {
  if ((privateKey === '') !== (subject === '')) throw new Error('VAPID_PRIVATE_KEY and VAPID_SUBJECT go together');
  if (privateKey === '') return null;
  const pair = createECDH('prime256v1');
  try {
    pair.setPrivateKey(Buffer.from(privateKey, 'base64url'));
  } catch {
    throw new Error('VAPID_PRIVATE_KEY is no key of P-256');
  }
  return { subject, privateKey, publicKey: pair.getPublicKey('base64url') };
}

type MailVariables = Pick<z.infer<typeof environmentSchema>, 'SMTP_URL' | 'MAIL_FROM' | 'PUBLIC_URL' | 'ENVIRONMENT'>;

/** Words go without TLS to a relay of this machine alone, and in development. */
function smtpOf({ SMTP_URL: url, MAIL_FROM: from, PUBLIC_URL, ENVIRONMENT }: MailVariables, worker: WorkerAddress | null): SmtpSettings | null {
  if ((url === '') !== (from === '')) throw new Error('SMTP_URL and MAIL_FROM go together');
  if (url === '') return null;
  if (worker === null) throw new Error('SMTP_URL needs WORKER_URL and FLEET_TOKEN');
  const isHere = ['127.0.0.1', '[::1]', 'localhost'].includes(new URL(url).hostname);
  return { url, from, baseUrl: (PUBLIC_URL || worker.url).replace(/\/+$/, ''), plain: isHere || ENVIRONMENT === 'development', secret: worker.token };
}
