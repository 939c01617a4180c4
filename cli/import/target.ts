import type { DevFile } from '../../dev/dev-file.ts';

/** Where an import goes and where it is checked. */
export interface Target {
  readonly url: string;
  readonly postgresUrl: string;
  /** Null for the embedded transport. */
  readonly brokers: readonly string[] | null;
}

export interface TargetFlags {
  readonly url?: string | undefined;
  readonly postgresUrl?: string | undefined;
  /** Comma-separated. */
  readonly kafkaBrokers?: string | undefined;
}

/** Flags go before the running `colink dev`; either names the three addresses. */
export function resolveTarget(flags: TargetFlags, dev: Pick<DevFile, 'url' | 'postgres_url' | 'kafka_brokers'> | null): Target {
  const url = flags.url ?? dev?.url;
  const postgresUrl = flags.postgresUrl ?? dev?.postgres_url;
  if (url === undefined || postgresUrl === undefined) throw new Error('nothing runs here: start `npm run dev`, or give --url and --postgres-url');
  return { url, postgresUrl, brokers: flags.kafkaBrokers?.split(',') ?? dev?.kafka_brokers ?? null };
}
