import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';

const DATABASE_URL = 'postgres://colink@127.0.0.1:5432/colink';

describe('readConfig', () => {
  it('runs everything on the embedded transport unless told otherwise', () => {
    expect(readConfig([], { DATABASE_URL })).toEqual({
      run: 'all', databaseUrl: DATABASE_URL, brokers: [], replicationFactor: 1, relayShards: 1, worker: null, redis: null, clamd: null, webhooksToLoopback: false, linkPreviews: 'on', host: '127.0.0.1', port: 0, logLevel: 'info',
    });
  });

  it('reads what it is told', () => {
    const config = readConfig(['--run', 'relay'], { DATABASE_URL, KAFKA_BROKERS: 'a:1, b:2', KAFKA_REPLICATION_FACTOR: '3', RELAY_SHARDS: '4', HOST: '0.0.0.0', PORT: '9100' });
    expect(config).toMatchObject({ run: 'relay', brokers: ['a:1', 'b:2'], replicationFactor: 3, relayShards: 4, host: '0.0.0.0', port: 9100 });
  });

  it('knows the Worker and the cache by address and secret', () => {
    const environment = { DATABASE_URL, WORKER_URL: 'https://colink.example', FLEET_TOKEN: 'a', UPSTASH_REDIS_REST_URL: 'https://redis.example', UPSTASH_REDIS_REST_TOKEN: 'b' };
    expect(readConfig([], environment)).toMatchObject({ worker: { url: 'https://colink.example', token: 'a' }, redis: { url: 'https://redis.example', token: 'b' } });
  });

  it('lets webhooks go to loopback in development alone', () => {
    const wish = { DATABASE_URL, WEBHOOKS_TO_LOOPBACK: 'true' };
    expect(readConfig([], { ...wish, ENVIRONMENT: 'development' }).webhooksToLoopback).toBe(true);
    expect(() => readConfig([], { ...wish, ENVIRONMENT: 'staging' })).toThrow('WEBHOOKS_TO_LOOPBACK');
  });

  it.each([
    ['127.0.0.1:3310', '127.0.0.1', 3310],
    ['clamd.internal:1', 'clamd.internal', 1],
    ['[::1]:3310', '::1', 3310],
  ])('knows clamd at %s', (CLAMD_ADDRESS, host, port) => {
    expect(readConfig([], { DATABASE_URL, WORKER_URL: 'https://colink.example', FLEET_TOKEN: 'a', CLAMD_ADDRESS }).clamd).toEqual({ host, port });
  });

  it.each([
    ['webhooks to loopback in production', [], { DATABASE_URL, WEBHOOKS_TO_LOOPBACK: 'true' }, 'WEBHOOKS_TO_LOOPBACK'],
    ['no database', [], {}, 'DATABASE_URL'],
    ['a relay without a broker', ['--run', 'relay'], { DATABASE_URL }, 'KAFKA_BROKERS'],
    ['a Worker without its token', [], { DATABASE_URL, WORKER_URL: 'https://colink.example' }, 'FLEET_TOKEN'],
    ['a Redis without its token', [], { DATABASE_URL, UPSTASH_REDIS_REST_URL: 'https://redis.example' }, 'UPSTASH_REDIS_REST_TOKEN'],
    ['a clamd without the Worker whose files it scans', [], { DATABASE_URL, CLAMD_ADDRESS: '127.0.0.1:3310' }, 'WORKER_URL'],
    ['a clamd without a port', [], { DATABASE_URL, CLAMD_ADDRESS: 'clamd' }, 'CLAMD_ADDRESS'],
    ['a role there is not', ['--run', 'everything'], { DATABASE_URL }, '--run'],
    ['more shards than pay', [], { DATABASE_URL, RELAY_SHARDS: '17' }, 'RELAY_SHARDS'],
    ['a port there is not', [], { DATABASE_URL, PORT: '70000' }, 'PORT'],
    ['an option there is not', ['--fast'], { DATABASE_URL }, '--fast'],
  ])('refuses %s and names it', (_, args, environment, named) => {
    expect(() => readConfig(args, environment)).toThrow(named);
  });
});
