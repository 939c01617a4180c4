import { expect, test } from 'vitest';
import { resolveTarget } from './target.ts';

const running = { url: 'http://127.0.0.1:8787', postgres_url: 'postgres://dev', kafka_brokers: ['127.0.0.1:19092'] };

test('the running stack is the target', () => {
  expect(resolveTarget({}, running)).toEqual({ url: running.url, postgresUrl: running.postgres_url, brokers: running.kafka_brokers });
});

test('the embedded transport has no brokers', () => {
  expect(resolveTarget({}, { ...running, kafka_brokers: null }).brokers).toBeNull();
});

test('flags go first, and do without a stack', () => {
  const flags = { url: 'https://chat.example.org', postgresUrl: 'postgres://other', kafkaBrokers: 'a:9092,b:9092' };
  const target = { url: flags.url, postgresUrl: flags.postgresUrl, brokers: ['a:9092', 'b:9092'] };
  expect(resolveTarget(flags, running)).toEqual(target);
  expect(resolveTarget(flags, null)).toEqual(target);
});

test('nothing to go to is said', () => {
  expect(() => resolveTarget({}, null)).toThrow('npm run dev');
});
