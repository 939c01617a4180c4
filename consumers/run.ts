import { type Logger, pino } from 'pino';
import { type FleetConfig, readConfig } from './config.ts';
import { type Fleet, startFleet } from './fleet.ts';

/** Why a process is to end; `error`: a service broke. */
export interface Ending {
  readonly reason: string;
  readonly error?: unknown;
}

/** Milliseconds from the signal on that are given to work under way. What is then stopped by force takes 2 s more; 25 s are promised. */
const SHUTDOWN_MS = 22_000;
/** Where a service broke: its orchestrator is to start another soon. */
const BROKEN_SHUTDOWN_MS = 5_000;

/**
 * Runs a fleet as the arguments and the environment say, until `asked` resolves or a service breaks; then ends the process. Exit codes: 0, all was
 * drained; 1, something was stopped by force and is named in the log, or a service broke; 2, the configuration is bad.
 */
export async function run(asked: Promise<Ending>): Promise<never> {
  const config = configOrExit();
  const log = pino({ level: config.logLevel, base: { service: 'fleet' }, timestamp: pino.stdTimeFunctions.isoTime });
  const early = await Promise.race([asked, null]);
  if (early !== null) return endBefore(log, early);
  const fleet = await startFleet(config, log);
  log.info({ port: fleet.port, run: config.run, transport: config.brokers.length > 0 ? 'kafka' : 'embedded' }, 'the fleet runs');
  const broken = fleet.broken.catch((error: unknown): Ending => ({ reason: 'a service broke', error }));
  return end(fleet, log, await Promise.race([asked, broken]));
}

function configOrExit(): FleetConfig {
  try {
    return readConfig(process.argv.slice(2), process.env);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}

/** Nothing runs yet, so there is nothing to drain. */
function endBefore(log: Logger, { reason }: Ending): never {
  log.info({ reason }, 'the fleet has ended before it began');
  process.exit(0);
}

async function end(fleet: Fleet, log: Logger, { reason, error }: Ending): Promise<never> {
  if (error !== undefined) log.fatal({ error_class: error instanceof Error ? error.name : 'Error', stack: error instanceof Error ? error.stack : undefined }, reason);
  log.info({ reason }, 'the fleet shuts down');
  const deadlineMs = error === undefined ? SHUTDOWN_MS : BROKEN_SHUTDOWN_MS;
  const forced = await fleet.shutdown(deadlineMs);
  if (forced.length > 0) log.error({ forced, deadline_seconds: deadlineMs / 1_000 }, 'the fleet was stopped by force: these were not through in time');
  log.info({ forced: forced.length }, 'the fleet has ended');
  process.exit(forced.length > 0 || error !== undefined ? 1 : 0);
}
