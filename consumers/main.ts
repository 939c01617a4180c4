import { pino } from 'pino';
import { type FleetConfig, readConfig } from './config.ts';
import { startFleet } from './fleet.ts';

/** Milliseconds from the signal to the end; an orchestrator's grace period is usually 30 s. */
const SHUTDOWN_MS = 23_000;

function configOrExit(): FleetConfig {
  try {
    return readConfig(process.argv.slice(2), process.env);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}

const config = configOrExit();
const log = pino({ level: config.logLevel, base: { service: 'fleet' }, timestamp: pino.stdTimeFunctions.isoTime });
const starting = startFleet(config, log);

async function end(reason: string): Promise<void> {
  log.info({ reason }, 'the fleet shuts down');
  const fleet = await starting;
  const isDrained = await fleet.shutdown(SHUTDOWN_MS);
  log.info({ isDrained }, 'the fleet has ended');
  process.exit(isDrained ? 0 : 1);
}

// Before the start is through: the first process of a container gets no signal that it has not asked for.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    void end(signal);
  });
}

const fleet = await starting;
log.info({ port: fleet.port, run: config.run, transport: config.brokers.length > 0 ? 'kafka' : 'embedded' }, 'the fleet runs');

fleet.broken.catch(async (error: unknown) => {
  log.fatal({ error_class: error instanceof Error ? error.name : 'Error', stack: error instanceof Error ? error.stack : undefined }, 'a service broke');
  await fleet.shutdown(5_000);
  process.exit(1);
});
