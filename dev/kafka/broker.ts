import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startChild, untilReady, type Child, type Running } from '../child.ts';
import { detect, isPresent } from '../components.ts';
import { freePort } from '../ports.ts';
import { fetchJars } from './broker-jars.ts';

export interface KafkaOptions {
  /** Holds configuration, logs and topics. A broker started again on it has all of them. */
  readonly dataDir: string;
  /** Ports on loopback; free ones by default. */
  readonly port?: number;
  readonly controllerPort?: number;
  /** Where clients are told to go; its own port by default. */
  readonly advertisedPort?: number;
  /** Where the broker's output goes (default `<dataDir>/kafka.log`). */
  readonly logFile?: string;
  /** Most heap in MiB (default 256). */
  readonly heapMegabytes?: number;
}

export interface KafkaBroker extends Running {
  /** For clients: `127.0.0.1:<advertised port>`. */
  readonly brokers: string;
  readonly port: number;
}

/** 16 bytes in base64url, as Kafka wants them. It is fixed, so that formatting twice is the same as once. */
const CLUSTER_ID = Buffer.from('colink-dev-kafka').toString('base64url');
const START_TIMEOUT_MS = 30_000;

/**
 * Starts a one-node Apache Kafka (KRaft, broker and controller in one process) on loopback and resolves when it serves clients.
 * Topics are created by those who know them, never by use. What a killed broker had acknowledged is there at the next start.
 * @throws if Java or the jars are missing (and Maven cannot get them), or if the broker does not serve within 30 s.
 */
export async function startKafka(options: KafkaOptions): Promise<KafkaBroker> {
  const { java, classpath } = await findBroker();
  const port = options.port ?? (await freePort());
  const controllerPort = options.controllerPort ?? (await freePort());
  const logFile = options.logFile ?? join(options.dataDir, 'kafka.log');
  const configFile = await writeConfig(options.dataDir, { port, controllerPort, advertisedPort: options.advertisedPort ?? port });
  const jvm = jvmArguments(classpath, options.heapMegabytes ?? 256);
  await formatOnce(java, jvm, options.dataDir, configFile);
  const running = await startChild({ command: java, args: [...jvm, 'kafka.Kafka', configFile], logFile, graceMs: 8_000 });
  await untilReady(running, () => probe(running), START_TIMEOUT_MS);
  return { ...running, brokers: `127.0.0.1:${options.advertisedPort ?? port}`, port };
}

async function findBroker(): Promise<{ java: string; classpath: string }> {
  const { java, maven, kafkaJars } = detect();
  if (!isPresent(java)) throw new Error(java.missing);
  if (isPresent(kafkaJars)) return { java: java.path, classpath: join(kafkaJars.path, '*') };
  if (!isPresent(maven)) throw new Error(`${kafkaJars.missing}, and ${maven.missing}`);
  return { java: java.path, classpath: join(await fetchJars(maven.path), '*') };
}

/** Takes 1 s, so a marker remembers it. The marker is written last: a format cut short is done again. */
async function formatOnce(java: string, jvm: readonly string[], dataDir: string, configFile: string): Promise<void> {
  const marker = join(dataDir, 'formatted');
  if (existsSync(marker)) return;
  await promisify(execFile)(java, [...jvm, 'kafka.tools.StorageTool', 'format', '--ignore-formatted', '-t', CLUSTER_ID, '-c', configFile]);
  await writeFile(marker, CLUSTER_ID);
}

function jvmArguments(classpath: string, heapMegabytes: number): string[] {
  const log4j = join(dirname(fileURLToPath(import.meta.url)), 'log4j2.properties');
  return [
    '-Xms64m',
    `-Xmx${heapMegabytes}m`,
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Djava.awt.headless=true',
    `-Dlog4j2.configurationFile=${log4j}`,
    '-cp',
    classpath,
  ];
}

interface Ports {
  readonly port: number;
  readonly controllerPort: number;
  readonly advertisedPort: number;
}

async function writeConfig(dataDir: string, ports: Ports): Promise<string> {
  const file = join(dataDir, 'server.properties');
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, brokerConfig(join(dataDir, 'log'), ports));
  return file;
}

/** The broker's settings: one node, small, nothing created by accident, no waiting for more consumers. */
function brokerConfig(logDirectory: string, { port, controllerPort, advertisedPort }: Ports): string {
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${advertisedPort}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': logDirectory,
    'auto.create.topics.enable': 'false',
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    // A killed broker's next incarnation may register once the session of the last one is over (9 s by default).
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'log.cleaner.dedupe.buffer.size': '2097152',
    'num.io.threads': '4',
    'num.network.threads': '2',
  };
  return Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join('');
}

/**
 * Throws until the broker has said that it serves. Its log is asked, not a client, because kafkajs 2.2.4 warns on every connection
 * under Node 24.
 */
async function probe(running: Child): Promise<void> {
  if (!(await running.output()).includes('Kafka Server started')) throw new Error('the broker has not said that it serves');
}
