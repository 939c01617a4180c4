import { randomBytes } from 'node:crypto';
import { detect, isPresent } from './components.ts';
import { firstLine } from './first-line.ts';
import { clamdPart, redisPart, redisRestPart } from './parts.ts';
import type { Ports } from './ports.ts';
import type { StartPart } from './supervisor.ts';

/** What starting a part that the stack can do without needs of the stack. */
export interface OptionalParts {
  readonly dataDir: string;
  readonly ports: Ports;
  readonly add: (part: 'redis' | 'redis_rest' | 'clamd', start: StartPart) => Promise<void>;
  /** One line of what runs, or why it does not. */
  readonly line: (part: string, address: string, note: string) => void;
}

/** The Worker's and the fleet's variables for the second cache level; none where there is no Redis. */
export async function startRedis(parts: OptionalParts, wanted: boolean): Promise<Record<string, string>> {
  const { UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN } = process.env;
  if (!wanted) return withoutRedis(parts, 'asked for');
  if (UPSTASH_REDIS_REST_URL && UPSTASH_REDIS_REST_TOKEN) {
    parts.line('redis', new URL(UPSTASH_REDIS_REST_URL).host, 'second cache level: UPSTASH_REDIS_REST_URL is set');
    return { UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN };
  }
  const { redis } = detect();
  return isPresent(redis) ? await startOwnRedis(parts, redis.path) : withoutRedis(parts, redis.missing);
}

async function startOwnRedis(parts: OptionalParts, command: string): Promise<Record<string, string>> {
  const { redis: port, redisRest } = parts.ports;
  const token = randomBytes(24).toString('base64url');
  try {
    await parts.add('redis', redisPart(parts.dataDir, command, port));
    await parts.add('redis_rest', redisRestPart(parts.dataDir, { port: redisRest, redisUrl: `redis://127.0.0.1:${port}`, token }));
  } catch (error) {
    return withoutRedis(parts, firstLine(error));
  }
  parts.line('redis', `127.0.0.1:${port}`, `second cache level, by REST at 127.0.0.1:${redisRest}`);
  return { UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${redisRest}`, UPSTASH_REDIS_REST_TOKEN: token };
}

function withoutRedis({ line }: OptionalParts, why: string): Record<string, string> {
  line('redis', '', `no second cache level: ${why}`);
  return {};
}

/** Where clamd listens; empty where files are not scanned. */
export async function startClamd(parts: OptionalParts, wanted: boolean): Promise<string> {
  const { CLAMD_ADDRESS: given } = process.env;
  if (!wanted) return withoutClamd(parts, 'asked for');
  if (given) {
    parts.line('clamd', given, 'scans files: CLAMD_ADDRESS is set');
    return given;
  }
  const { clamd } = detect();
  if (!isPresent(clamd)) return withoutClamd(parts, `${clamd.missing}; npm run setup brings it`);
  const { clamd: port } = parts.ports;
  try {
    await parts.add('clamd', clamdPart(parts.dataDir, clamd.path, port));
  } catch (error) {
    return withoutClamd(parts, firstLine(error));
  }
  parts.line('clamd', `127.0.0.1:${port}`, 'scans files; it knows the signature of the test file EICAR, and no other');
  return `127.0.0.1:${port}`;
}

function withoutClamd({ line }: OptionalParts, why: string): string {
  line('clamd', '', `files are not scanned, stay pending_scan and cannot be downloaded: ${why}`);
  return '';
}
