import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** Where `colink dev` keeps what belongs to a checkout: its stack's addresses, and the progress of imports. */
export const STATE_FOLDER = '.colink';

/** Where an import goes and where it is checked. */
export interface Target {
  readonly url: string;
  readonly postgresUrl: string;
  /** Null for the embedded transport. */
  readonly brokers: readonly string[] | null;
}

const devFileSchema = z.object({
  url: z.url(),
  postgres_url: z.string(),
  kafka_brokers: z.array(z.string()).nullish(),
  event_transport: z.enum(['embedded', 'kafka']),
});
type DevFile = z.infer<typeof devFileSchema>;

export interface TargetFlags {
  readonly url?: string | undefined;
  readonly postgresUrl?: string | undefined;
  readonly kafkaBrokers?: string | undefined;
}

/** Flags go before the running `colink dev`; either names the three addresses. */
export function resolveTarget(flags: TargetFlags, dev: DevFile | null): Target {
  const url = flags.url ?? dev?.url;
  const postgresUrl = flags.postgresUrl ?? dev?.postgres_url;
  if (url === undefined || postgresUrl === undefined) throw new Error('no running stack: start `npm run dev`, or give --url and --postgres-url');
  const devBrokers = dev?.event_transport === 'kafka' ? (dev.kafka_brokers ?? null) : null;
  return { url, postgresUrl, brokers: flags.kafkaBrokers?.split(',') ?? devBrokers };
}

/** What `colink dev` wrote when it was up; null where it does not run. */
export async function readDevFile(folder = STATE_FOLDER): Promise<DevFile | null> {
  const text = await readFile(join(folder, 'dev.json'), 'utf8').catch(() => null);
  return text === null ? null : devFileSchema.parse(JSON.parse(text));
}
