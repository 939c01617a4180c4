import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { FLEET_VARIABLES, readConfig } from '../consumers/config.ts';
import { serveFleet } from '../consumers/http-server.ts';

/** The longest that a fleet takes to end: consumers/run.ts, and a second for each part that is stopped by force. */
const SHUTDOWN_SECONDS = 25;

const probe = z.strictObject({
  httpGet: z.strictObject({ path: z.string(), port: z.string() }),
  periodSeconds: z.int().positive(),
  timeoutSeconds: z.int().positive(),
  failureThreshold: z.int().positive(),
});
const containerSchema = z.strictObject({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()),
  args: z.array(z.string()),
  ports: z.array(z.strictObject({ name: z.string(), containerPort: z.int() })),
  env: z.array(z.strictObject({ name: z.string(), value: z.string() })),
  envFrom: z.array(z.unknown()),
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  resources: z.strictObject({ requests: z.strictObject({ cpu: z.string(), memory: z.string() }), limits: z.strictObject({ memory: z.string() }) }),
  securityContext: z.strictObject({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
  }),
});
const podSchema = z.object({
  terminationGracePeriodSeconds: z.int(),
  securityContext: z.object({ runAsNonRoot: z.literal(true), runAsUser: z.int().positive() }),
  containers: z.tuple([containerSchema]),
});
const labels = z.record(z.string(), z.string());
const deploymentSchema = z.object({
  spec: z.object({ replicas: z.int(), selector: z.object({ matchLabels: labels }), template: z.object({ metadata: z.object({ labels, annotations: labels }), spec: podSchema }) }),
});
const objectSchema = z.looseObject({ apiVersion: z.string(), kind: z.string(), metadata: z.looseObject({ name: z.string() }) });

/** @throws where a document is not well formed, a key that is given twice included. */
const documentsOf = (path: string): unknown[] =>
  [...parseAllDocuments(readFileSync(path, 'utf8'))].map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS();
  });
const objects = documentsOf('ops/kubernetes/fleet.yaml').map((document) => objectSchema.parse(document));
const only = (kind: string): unknown => objects.find((object) => object.kind === kind);
const { spec } = deploymentSchema.parse(only('Deployment'));
const pod = spec.template.spec;
const [container] = pod.containers;
const { data: configured } = z.object({ data: labels }).parse(only('ConfigMap'));
/** As a person makes it, by the head of the file. */
const SECRET = { DATABASE_URL: 'postgres://colink@postgres:5432/colink', FLEET_TOKEN: 'x'.repeat(32) };

describe('ops/kubernetes/fleet.yaml', () => {
  const environment = { ...configured, ...Object.fromEntries(container.env.map(({ name, value }) => [name, value])), ...SECRET };

  it('holds what it says it holds', () => {
    expect(objects.map(({ kind }) => kind)).toEqual(['ConfigMap', 'Deployment', 'PodDisruptionBudget', 'Service']);
    expect(new Set(objects.map(({ metadata }) => metadata.name))).toEqual(new Set(['colink-fleet']));
  });

  it('configures the fleet with variables that it knows, in a way that it takes', () => {
    expect(Object.keys(environment).filter((name) => !FLEET_VARIABLES.includes(name))).toEqual([]);
    const config = readConfig(container.args, environment);
    expect(config).toMatchObject({ run: 'all', replicationFactor: 3, host: '0.0.0.0', port: container.ports[0]?.containerPort });
    expect(config.brokers).toHaveLength(3);
  });

  it('starts what the image starts', () => {
    const [, command] = /^CMD (.+)$/m.exec(readFileSync('ops/Dockerfile', 'utf8')) ?? [];
    expect([...container.command, ...container.args]).toEqual(JSON.parse(command ?? '[]'));
  });

  it('probes what the fleet serves', async () => {
    const server = await serveFleet('127.0.0.1', 0, new Registry(), { isServing: () => true, dependencies: async () => [] });
    const { startupProbe, livenessProbe, readinessProbe } = container;
    const paths = [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path);
    const scraped = spec.template.metadata.annotations['prometheus.io/path'] ?? '';
    const statuses = await Promise.all([...paths, scraped].map(async (path) => (await fetch(`http://127.0.0.1:${server.port}${path}`)).status));
    await server.close();
    expect(paths).toEqual(['/health', '/health', '/ready']);
    expect(statuses).toEqual([200, 200, 200, 200]);
    const names = new Set(container.ports.map(({ name }) => name));
    expect([startupProbe, livenessProbe, readinessProbe].filter(({ httpGet }) => !names.has(httpGet.port))).toEqual([]);
  });

  it('waits for an answer of /ready for longer than it takes, and gives a process the time to end', () => {
    expect(container.readinessProbe.timeoutSeconds).toBeGreaterThan(2);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(SHUTDOWN_SECONDS + 5);
  });

  it('selects the pods that it makes, in every object', () => {
    const budget = z.object({ spec: z.object({ selector: z.object({ matchLabels: labels }) }) }).parse(only('PodDisruptionBudget'));
    const service = z.object({ spec: z.object({ selector: labels }) }).parse(only('Service'));
    const selectors = [spec.selector.matchLabels, budget.spec.selector.matchLabels, service.spec.selector];
    expect(selectors).toEqual([1, 2, 3].map(() => spec.template.metadata.labels));
  });

  it('is scraped where metrics are', () => {
    expect(spec.template.metadata.annotations['prometheus.io/port']).toBe(String(container.ports[0]?.containerPort));
  });
});

describe('ops/kubernetes/clamd.yaml', () => {
  const clamd = documentsOf('ops/kubernetes/clamd.yaml').map((document) => objectSchema.parse(document));
  const one = (kind: string): unknown => clamd.find((object) => object.kind === kind);
  const config = readFileSync('ops/clamd.conf', 'utf8');
  const settings = new Map(config.split('\n').filter((line) => /^\w/.test(line)).map((line) => [line.split(' ')[0], line.split(' ').slice(1).join(' ')]));

  it('is where the fleet looks for it, and lets in the fleet alone', () => {
    const service = z.object({ metadata: z.object({ name: z.string() }), spec: z.object({ selector: labels, ports: z.tuple([z.looseObject({ port: z.int() })]) }) }).parse(one('Service'));
    expect(configured['CLAMD_ADDRESS']).toBe(`${service.metadata.name}:${service.spec.ports[0].port}`);
    expect(settings.get('TCPSocket')).toBe(String(service.spec.ports[0].port));
    const made = z.object({ spec: z.object({ template: z.object({ metadata: z.object({ labels }) }) }) }).parse(one('Deployment'));
    const from = z.tuple([z.object({ podSelector: z.object({ matchLabels: labels }) })]);
    const policy = z.object({ spec: z.object({ podSelector: z.object({ matchLabels: labels }), ingress: z.tuple([z.object({ from })]) }) }).parse(one('NetworkPolicy'));
    expect([service.spec.selector, policy.spec.podSelector.matchLabels]).toEqual([made.spec.template.metadata.labels, made.spec.template.metadata.labels]);
    expect(policy.spec.ingress[0].from[0].podSelector.matchLabels).toEqual(spec.template.metadata.labels);
  });

  it('has the settings of ops/clamd.conf: it takes what can be uploaded, and says what it leaves out', () => {
    expect(z.object({ data: labels }).parse(one('ConfigMap')).data['clamd.conf']).toBe(config);
    expect(settings.get('AlertExceedsMax')).toBe('yes');
    const [, most] = /^MAX_FILE_BYTES = "(\d+)"$/m.exec(readFileSync('wrangler.toml', 'utf8')) ?? [];
    const [stream, file] = ['StreamMaxLength', 'MaxFileSize'].map((name) => Number(/^(\d+)M$/.exec(settings.get(name) ?? '')?.[1]) * 1024 * 1024);
    expect(Number(most)).toBeLessThan(stream ?? 0);
    expect(stream).toBeLessThan(file ?? 0);
  });
});

describe('compose.yaml', () => {
  const service = z.looseObject({
    profiles: z.array(z.string()).optional(),
    env_file: z.string().optional(),
    environment: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
    ports: z.array(z.string()).optional(),
    volumes: z.array(z.string()).optional(),
    depends_on: z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') })).optional(),
    healthcheck: z.unknown().optional(),
  });
  const { services, volumes } = z.object({ services: z.record(z.string(), service), volumes: z.record(z.string(), z.null()) }).parse(documentsOf('compose.yaml')[0]);
  const brokers = ['kafka-1', 'kafka-2', 'kafka-3'].map((name) => services[name]).filter((broker) => broker !== undefined);
  const shared = Object.fromEntries(
    readFileSync('ops/kafka/cluster.env', 'utf8').split('\n').filter((line) => /^\w/.test(line)).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );

  it('has a cluster of three brokers that share all but their number, addresses and data', () => {
    expect(brokers).toHaveLength(3);
    expect(brokers.map(({ env_file }) => env_file)).toEqual(Array.from({ length: 3 }, () => 'ops/kafka/cluster.env'));
    expect(brokers.map(({ environment }) => environment?.['KAFKA_NODE_ID'])).toEqual([1, 2, 3]);
    expect(new Set(brokers.flatMap(({ ports }) => ports)).size).toBe(3);
    expect(new Set(brokers.flatMap(({ volumes: mounted }) => mounted)).size).toBe(3);
    expect(shared['KAFKA_CONTROLLER_QUORUM_VOTERS']).toBe('1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093');
  });

  it('keeps an acknowledged record on two of three', () => {
    expect(shared).toMatchObject({
      KAFKA_DEFAULT_REPLICATION_FACTOR: '3', KAFKA_MIN_INSYNC_REPLICAS: '2', KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE: 'false',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '3', KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    });
  });

  it('tells each broker’s clients the address at which they find it', () => {
    const told = brokers.map(({ environment, ports }) => [environment?.['KAFKA_ADVERTISED_LISTENERS'], ports?.[0]]);
    expect(told).toEqual([1, 2, 3].map((n) => [`INSIDE://kafka-${n}:9092,OUTSIDE://127.0.0.1:9${n}92`, `127.0.0.1:9${n}92:19092`]));
  });

  it('configures its fleet with variables that it knows, in a way that it takes', () => {
    const environment = Object.fromEntries(Object.entries(services['fleet']?.environment ?? {}).map(([name, value]) => [name, String(value)]));
    expect(Object.keys(environment).filter((name) => !FLEET_VARIABLES.includes(name))).toEqual([]);
    expect(readConfig([], environment)).toMatchObject({ brokers: ['kafka-1:9092', 'kafka-2:9092', 'kafka-3:9092'], replicationFactor: 3 });
  });

  it('names only services, volumes and files that there are', () => {
    const waitedFor = Object.values(services).flatMap(({ depends_on = {} }) => Object.keys(depends_on));
    expect(waitedFor.filter((name) => services[name]?.healthcheck === undefined)).toEqual([]);
    const mounted = Object.values(services).flatMap((one) => one.volumes ?? []).map((mount) => mount.split(':')[0] ?? '');
    expect(mounted.toSorted()).toEqual(Object.keys(volumes).toSorted());
  });
});
