import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { detect } from '../../dev/components.ts';
import { startKafka } from '../../dev/kafka/broker.ts';
import { whyNoBroker } from '../../dev/transport.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** `host:port` of the run's broker; empty where this machine has none, and tests of it are skipped. */
    kafkaBrokers: string;
  }
}

/** One broker for the run. In CI a missing part is a failure. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const missing = whyNoBroker(detect());
  if (missing !== null) {
    if (process.env['CI'] === 'true') throw new Error(`Kafka tests cannot run: ${missing}`);
    console.warn(`Kafka tests are skipped: ${missing} (npm run setup brings it where it can)`);
    project.provide('kafkaBrokers', '');
    return undefined;
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'colink-kafka-'));
  const broker = await startKafka({ dataDir });
  project.provide('kafkaBrokers', broker.brokers);
  return async () => {
    await broker.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}
