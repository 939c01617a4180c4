import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startChild, untilReady, type Child, type Running } from '../child.ts';
import { detect, isPresent } from '../components.ts';
import { differentPorts } from '../ports.ts';
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
  /** The cluster this is a broker of; by default it is one by itself. */
  readonly cluster?: ClusterPlace;
}

export interface ClusterPlace {
  /** From 1. */
  readonly nodeId: number;
  /** The controller ports of all nodes, this one's included, in the order of their ids. More than one: it serves only once most of them run. */
  readonly controllerPorts: readonly number[];
}

export interface KafkaBroker extends Running {
  /** For clients: `127.0.0.1:<advertised port>`. */
  readonly brokers: string;
  readonly port: number;
}

/** 16 bytes in base64url, as Kafka wants them. It is fixed, so that formatting twice is the same as once. */
const CLUSTER_ID = Buffer.from('colink-dev-kafka').toString('base64url');
const START_TIMEOUT_MS = 30_000;
/** Three virtual machines start at once on what may be two cores. */
const CLUSTER_START_TIMEOUT_MS = 90_000;
/** Of three copies, an acknowledged record is on two. */
const MIN_INSYNC = 2;

/**
 * Starts an Apache Kafka (KRaft, broker and controller in one process), of one node or as one of a cluster, on loopback and resolves when it serves clients.
 * Topics are created by those who know them, never by use. What a killed broker had acknowledged is there at the next start.
 * @throws if Java or the jars are missing (and Maven cannot get them), or if the broker does not serve within 30 s (90 s in a cluster).
 */
export async function startKafka(options: KafkaOptions): Promise<KafkaBroker> {
  const { java, classpath } = await findBroker();
  const [free = 0, freeToo = 0] = await differentPorts(2, [options.port, options.controllerPort].filter((taken) => taken !== undefined));
  const [port, controllerPort] = [options.port ?? free, options.controllerPort ?? freeToo];
  const logFile = options.logFile ?? join(options.dataDir, 'kafka.log');
  const place = options.cluster ?? { nodeId: 1, controllerPorts: [controllerPort] };
  const configFile = await writeConfig(options.dataDir, { port, advertisedPort: options.advertisedPort ?? port }, place);
  const jvm = jvmArguments(classpath, options.heapMegabytes ?? 256);
  await formatOnce(java, jvm, options.dataDir, configFile);
  const running = await startChild({ command: java, args: [...jvm, 'kafka.Kafka', configFile], logFile, graceMs: 8_000 });
  await untilReady(running, () => probe(running), options.cluster ? CLUSTER_START_TIMEOUT_MS : START_TIMEOUT_MS);
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
  readonly advertisedPort: number;
}

async function writeConfig(dataDir: string, ports: Ports, place: ClusterPlace): Promise<string> {
  const file = join(dataDir, 'server.properties');
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, brokerConfig(join(dataDir, 'log'), ports, place));
  return file;
}

/** The broker's settings: small, nothing created by accident, no waiting for more consumers. */
function brokerConfig(logDirectory: string, { port, advertisedPort }: Ports, { nodeId, controllerPorts }: ClusterPlace): string {
  const copies = String(controllerPorts.length);
  const insync = String(Math.min(controllerPorts.length, MIN_INSYNC));
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': String(nodeId),
    'controller.quorum.voters': controllerPorts.map((voter, index) => `${index + 1}@127.0.0.1:${voter}`).join(','),
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPorts[nodeId - 1]}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${advertisedPort}`,
    'default.replication.factor': copies,
    'min.insync.replicas': insync,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': logDirectory,
    'auto.create.topics.enable': 'false',
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': insync,
    'share.coordinator.state.topic.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': insync,
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
