import { detect, isPresent, onPath, type Components } from '../dev/components.ts';
import { fetchJars } from '../dev/kafka/broker-jars.ts';
import { runProgram } from './process.ts';

/**
 * `npm run setup`: brings what the tests want besides Node, on Debian and its like through apt, and the Kafka broker's jars. What is
 * there is left alone, so repeating it is quick. Tests skip what this cannot bring, and say so.
 */
const PACKAGES: Readonly<Partial<Record<keyof Components, readonly string[]>>> = {
  java: ['default-jre-headless'],
  maven: ['maven'],
  redis: ['redis-server'],
  chromium: ['chromium'],
  clamd: ['clamav-daemon'],
  pgbouncer: ['pgbouncer'],
  faketime: ['faketime'],
};

/** Nobody waits for a stack here, so a slow network may take its time. */
const JARS_TIMEOUT_MS = 600_000;

/** What apt-get has to be started with: nothing for root, sudo where it may be used, null where there is no way. */
async function privilege(): Promise<readonly string[] | null> {
  if (process.getuid?.() === 0) return [];
  if (!onPath(['sudo'])) return null;
  const { code } = await runProgram('sudo', ['-n', 'true'], { capture: true });
  return code === 0 || process.stdin.isTTY ? ['sudo'] : null;
}

async function installPackages(packages: readonly string[]): Promise<void> {
  const apt = onPath(['apt-get']);
  const prefix = apt ? await privilege() : null;
  if (apt === undefined || prefix === null) {
    console.log(`To be installed by hand${apt ? ', as root: apt-get install' : ', by this system’s own means (Debian names):'} ${packages.join(' ')}`);
    return;
  }
  console.log(`Installing ${packages.join(', ')}`);
  await runPrivileged([...prefix, apt, 'update', '-q']);
  await runPrivileged([...prefix, apt, 'install', '-y', '--no-install-recommends', ...packages]);
}

async function runPrivileged([program = '', ...args]: readonly string[]): Promise<void> {
  const { code } = await runProgram(program, args, { env: { DEBIAN_FRONTEND: 'noninteractive' } });
  if (code !== 0) process.exitCode = 1;
}

async function bringJars({ java, maven, kafkaJars }: Components): Promise<void> {
  if (isPresent(kafkaJars) || !isPresent(java) || !isPresent(maven)) return;
  console.log('Getting the Kafka broker (43 MB) with Maven');
  await fetchJars(maven.path, { timeoutMs: JARS_TIMEOUT_MS }).catch((error: unknown) => {
    console.error(String(error));
    process.exitCode = 1;
  });
}

const missingNames = (components: Components): (keyof Components)[] =>
  (Object.keys(components) as (keyof Components)[]).filter((name) => !isPresent(components[name]));

async function main(): Promise<void> {
  const packages = missingNames(detect()).flatMap((name) => PACKAGES[name] ?? []);
  if (packages.length > 0) await installPackages(packages);
  await bringJars(detect());
  for (const [name, component] of Object.entries(detect())) {
    console.log(`${name.padEnd(10)} ${isPresent(component) ? component.path : `missing: ${component.missing}`}`);
  }
}

await main();
