import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { directoryEventSchema } from '../protocol/directory-events.ts';
import { channelEventSchema } from '../protocol/events.ts';
import { fileEventSchema } from '../protocol/file-events.ts';
import { inboxEventSchema } from '../protocol/inbox-events.ts';
import { presenceEventSchema } from '../protocol/presence.ts';
import { ceType, HEADERS, type Topic, topicOf, TOPICS } from '../protocol/topics.ts';
import { readConfig } from './config.ts';
import { decode } from './runtime/decode.ts';
import type { SourceRecord } from './runtime/record.ts';
import { groupsOf } from './services.ts';

/**
 * Every record ever released, as it stands on Kafka, by the first 16 digits of its SHA-256. They lie in topics for 30 days, and in dead letters and exports for as
 * long as somebody keeps them: a line here is never changed nor taken away. A new type, or a new shape of an old one, is a new record at the end of its file and
 * a new line here.
 */
const RELEASED: Readonly<Record<string, readonly string[]>> = {
  'channel.events.v1.json': [
    '367995f12b49a9a2', '4672ea51e3ca204c', 'd776ba9554df26d8', 'cfa5a2ab36e9a78f', '19195eb54822be34', '6ea2c7a460f45633', 'a3314c812944ac87',
  ],
  'file.events.v1.json': [
    '80119ecb335d8f21', '8ba64f4f888216b9', '508b8d25b420ab07', 'ffbd89b39fc551b8',
  ],
  'message.events.v1.json': [
    'f7b3761bb47582a1', '5a0af35fb94b3f94', '3b1badb5d2004a14', 'd1efbe6bcc24dfee', 'c77a18d4e5d4bb10', 'b785f1f2ff760980', 'd98da065d7ac218e', 'a8fe2178d40c5695', '179a3e16cbdb24f8', 'ed227fc9e5f9db20',
    'eefaba79782a0e0b', 'fd2fae2b98a7bd2a', '58b6594776a76fdd', 'e6da3a6d99a5f601', 'de6638b562b0db31', '7e41308b7696a1d6', '63a092128bd84b6d',
  ],
  'presence.events.v1.json': [
    'b94f3f49f08f80fe', '3760cbf58f902ab3', '6f19162494152469', 'e7a5726ab3a601f8',
  ],
  'user.events.v1.json': [
    '50097b94be0bbeb0', '87d0b65e14304d9f', '788618762b76ebed', '0de8ec604205bf3e', 'f4f0ce10d704f815', '8a533869328533b0', '8509cac27fadfdf8', 'ab71a2382ecb842c', '5aa8eb9379d5f662', 'e745264b623c28f7', '76d6cf73ef4f9616',
    '5b985288e7e021c7', '872752d7290ac882', '03cb17bff7408a03', 'd3f8d92ffea2b185', '6edcf01486393078', 'd453c21a899a4aff', '3b7af8b8f71237c7', '831f30756242efe9', 'b6c8fd62e26cff52', '474e64587f85056b', '45bdab433afc3251',
  ],
};

const DIRECTORY = new URL('../protocol/fixtures/records/', import.meta.url);
const fixtureSchema = z.strictObject({ key: z.uuid(), headers: z.record(z.string(), z.string()), value: z.string() });
type Fixture = z.infer<typeof fixtureSchema>;

const topics = Object.keys(TOPICS) as Topic[];
const files = readdirSync(DIRECTORY).map((file) => ({
  file,
  topic: topics.find((topic) => file.startsWith(`${topic}.v`)),
  version: /\.v(\d+)\.json$/.exec(file)?.[1],
  fixtures: z.array(fixtureSchema).parse(JSON.parse(readFileSync(new URL(file, DIRECTORY), 'utf8'))),
}));

const hashOf = (fixture: Fixture): string => createHash('sha256').update(JSON.stringify(fixture)).digest('hex').slice(0, 16);
const typeOf = ({ headers }: Fixture): string => headers[HEADERS.type] ?? '';

const recordsOf = (topic: Topic): (readonly [string, SourceRecord])[] =>
  files
    .filter((one) => one.topic === topic)
    .flatMap(({ file, fixtures }) => fixtures.map((fixture, n) => [`${typeOf(fixture)} (${file}, ${n})`, toRecord(topic, fixture)] as const));

function toRecord(topic: Topic, { key, headers, value }: Fixture): SourceRecord {
  return { topic, partition: 0, offset: '0', key: Buffer.from(key), value: Buffer.from(value), headers };
}

const schemas = [...channelEventSchema.options, ...directoryEventSchema.options, ...inboxEventSchema.options, ...fileEventSchema.options, presenceEventSchema];
const REDIS = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1', UPSTASH_REDIS_REST_TOKEN: 'secret' };
/** All groups: with whatever each of them needs in order to run. */
const groups = groupsOf(readConfig([], { DATABASE_URL: 'postgres://127.0.0.1/colink', WORKER_URL: 'http://127.0.0.1', FLEET_TOKEN: 'secret', CLAMD_ADDRESS: '127.0.0.1:1', ...REDIS }));

describe('released records', () => {
  it('are as they were released', () => {
    expect(Object.fromEntries(files.map(({ file, fixtures }) => [file, fixtures.map(hashOf)]))).toEqual(RELEASED);
  });

  it('are of every type that is written, each on its topic and in the file of its version', () => {
    const present = new Set(files.flatMap(({ fixtures }) => fixtures.map(typeOf)));
    expect(schemas.map(({ shape }) => ceType(shape.type.value)).filter((type) => !present.has(type))).toEqual([]);
    const misplaced = files.flatMap(({ topic, version, fixtures }) => fixtures.map(typeOf).filter((type) => {
      const [, name = '', major] = /^colink\.(.+)\.v(\d+)$/.exec(type) ?? [];
      return topicOf(name) !== topic || major !== version;
    }));
    expect(misplaced).toEqual([]);
  });

  it('carry the headers that every record has', () => {
    const required = [HEADERS.id, HEADERS.type, HEADERS.source, HEADERS.time, HEADERS.specversion, HEADERS.idempotencyKey, HEADERS.position];
    expect(files.flatMap(({ fixtures }) => fixtures.filter(({ headers }) => required.some((name) => !(name in headers))))).toEqual([]);
  });
});

describe.each(groups.map((group) => [group.id, group] as const))('group %s', (_, group) => {
  it.each(group.topics.flatMap(recordsOf))('reads %s, or lets it pass', (_name, record) => {
    const isRead = group.types.has(String(record.headers[HEADERS.type]));
    expect(decode(group, record).kind).toBe(isRead ? 'event' : 'passed');
  });

  it('has a released record of every type it reads', () => {
    const present = new Set(group.topics.flatMap(recordsOf).map(([, { headers }]) => headers[HEADERS.type]));
    expect([...group.types].filter((type) => !present.has(type))).toEqual([]);
  });
});
