import type { CAC } from 'cac';
import { pino } from 'pino';
import { z } from 'zod';
import { createKafka } from '../consumers/kafka/client.ts';
import { readFleetStatus } from '../consumers/status/fleet-status.ts';
import { embeddedStatus, kafkaStatus } from '../consumers/status/transport.ts';
import { connect } from '../db/client.ts';
import { readDevFile } from '../dev/dev-file.ts';
import { DATA_DIR } from './data-dir.ts';
import { parseFlags } from './flags.ts';
import { describeFleet } from './fleet/describe.ts';
import { postgresUrl } from './postgres-url.ts';

const optionsSchema = z.object({
  json: z.boolean().default(false),
  all: z.boolean().default(false),
  sample: z.number('--sample is a number of seconds').min(0.1, '--sample is at least 0.1').max(60, '--sample is at most 60').default(1),
});

/** `colink fleet status`: what each group, partition and shard of the relay does, from Postgres and Kafka; no process of the fleet is asked. */
export function registerFleet(cli: CAC): void {
  cli
    .command('fleet <action>', 'status: lag, throughput and progress of relay and groups')
    .option('--json', 'As JSON, with all partitions')
    .option('--all', 'Partitions without lag, too')
    .option('--sample <seconds>', 'Over how long throughput is measured', { default: 1 })
    .action(async (action: string, flags: unknown) => {
      if (action !== 'status') throw new Error(`there is no colink fleet ${action}: there is status`);
      await printStatus(parseFlags(optionsSchema, flags));
    });
}

/** Those of `KAFKA_BROKERS`, else of the running `colink dev`; none: the embedded transport. */
function brokersOf(): readonly string[] {
  const given = process.env['KAFKA_BROKERS'];
  if (given !== undefined) return given.split(',').map((broker) => broker.trim()).filter((broker) => broker !== '');
  return process.env['DATABASE_URL'] === undefined ? (readDevFile(DATA_DIR)?.kafka_brokers ?? []) : [];
}

async function printStatus({ json, all, sample }: z.infer<typeof optionsSchema>): Promise<void> {
  const { sql, close } = connect(postgresUrl(), { max: 4, applicationName: 'colink-fleet-status' });
  const brokers = brokersOf();
  const transport = brokers.length === 0 ? embeddedStatus(sql) : kafkaStatus(createKafka({ brokers, clientId: 'colink-fleet-status', log: pino({ level: 'silent' }) }), sql);
  try {
    const status = await readFleetStatus({ sql, transport, sampleMs: sample * 1_000 });
    console.log(json ? JSON.stringify(status, null, 2) : describeFleet(status, { all }).join('\n'));
  } finally {
    await close(1);
  }
}
