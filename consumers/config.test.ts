import { describe, expect, it } from 'vitest';
import webPush from 'web-push';
import { readConfig } from './config.ts';
import { linkRulesOf } from './link-previewer/service.ts';

const DATABASE_URL = 'postgres://colink@127.0.0.1:5432/colink';
const WORKER = { WORKER_URL: 'https://chat.example/', FLEET_TOKEN: 'a' };

describe('readConfig', () => {
  it('runs everything on the embedded transport unless told otherwise', () => {
    expect(readConfig([], { DATABASE_URL })).toEqual({
      run: 'all', databaseUrl: DATABASE_URL, brokers: [], replicationFactor: 1, relayShards: 1, worker: null, redis: null, clamd: null, vapid: null, smtp: null, webhooksToLoopback: false, publicUrl: null, linkPreviews: 'on', host: '127.0.0.1', port: 0, logLevel: 'info',
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

  it('looks up links unless it is switched off, on loopback in development alone, and knows its own page by where people find it', () => {
    const modes = ['', 'on', 'off'].map((mode) => readConfig([], { DATABASE_URL, LINK_PREVIEWS: mode }).linkPreviews);
    expect(modes).toEqual(['on', 'on', 'off']);
    expect(readConfig([], { DATABASE_URL, LINK_PREVIEWS: 'loopback', ENVIRONMENT: 'development' }).linkPreviews).toBe('loopback');
    expect(() => readConfig([], { DATABASE_URL, LINK_PREVIEWS: 'loopback' })).toThrow('LINK_PREVIEWS');
    expect(linkRulesOf(readConfig([], { DATABASE_URL, ...WORKER, LINK_PREVIEWS: 'off' }))).toBeNull();
    const own = (more: Readonly<Record<string, string>>) => linkRulesOf(readConfig([], { DATABASE_URL, ...WORKER, ...more }));
    expect([own({}), own({ PUBLIC_URL: 'https://page.example/' })]).toEqual([{ loopback: false, ownHost: 'chat.example' }, { loopback: false, ownHost: 'page.example' }]);
  });

  it('mails by TLS, but to this machine and in development, with links to where people find the page', () => {
    const mail = { DATABASE_URL, ...WORKER, MAIL_FROM: 'Colink <no-reply@chat.example>' };
    expect(readConfig([], { ...mail, SMTP_URL: 'smtp://user:pw@mail.example:587' }).smtp).toEqual({
      url: 'smtp://user:pw@mail.example:587', from: 'Colink <no-reply@chat.example>', baseUrl: 'https://chat.example', plain: false, secret: 'a',
    });
    expect(readConfig([], { ...mail, SMTP_URL: 'smtp://127.0.0.1:25', PUBLIC_URL: 'https://page.example' }).smtp).toMatchObject({ plain: true, baseUrl: 'https://page.example' });
    expect(readConfig([], { ...mail, SMTP_URL: 'smtp://mail.example', ENVIRONMENT: 'development' }).smtp).toMatchObject({ plain: true });
  });

  it('knows the public key of Web Push by the private one', () => {
    const { publicKey, privateKey } = webPush.generateVAPIDKeys();
    expect(readConfig([], { DATABASE_URL, VAPID_PRIVATE_KEY: privateKey, VAPID_SUBJECT: 'mailto:a@b.example' }).vapid).toEqual({ subject: 'mailto:a@b.example', publicKey, privateKey });
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
    ['a private key of Web Push without a subject', [], { DATABASE_URL, VAPID_PRIVATE_KEY: 'A'.repeat(42) + 'Q' }, 'VAPID_SUBJECT'],
    ['a private key of Web Push that is none', [], { DATABASE_URL, VAPID_PRIVATE_KEY: 'A'.repeat(43), VAPID_SUBJECT: 'mailto:a@b.example' }, 'P-256'],
    ['a subject of Web Push that reaches nobody', [], { DATABASE_URL, VAPID_PRIVATE_KEY: `${'A'.repeat(42)}E`, VAPID_SUBJECT: 'http://b.example' }, 'VAPID_SUBJECT'],
    ['a mail server without an address to mail from', [], { DATABASE_URL, ...WORKER, SMTP_URL: 'smtps://mail.example' }, 'MAIL_FROM'],
    ['a mail server without the Worker that ends what it sends', [], { DATABASE_URL, SMTP_URL: 'smtps://mail.example', MAIL_FROM: 'a@b.example' }, 'WORKER_URL'],
    ['two addresses to mail from', [], { DATABASE_URL, ...WORKER, SMTP_URL: 'smtps://mail.example', MAIL_FROM: 'a@b.example, c@d.example' }, 'MAIL_FROM'],
    ['a name with a line of its own', [], { DATABASE_URL, ...WORKER, SMTP_URL: 'smtps://mail.example', MAIL_FROM: 'Colink\nBcc: c@d.example <a@b.example>' }, 'MAIL_FROM'],
    ['a clamd without a port', [], { DATABASE_URL, CLAMD_ADDRESS: 'clamd' }, 'CLAMD_ADDRESS'],
    ['a role there is not', ['--run', 'everything'], { DATABASE_URL }, '--run'],
    ['more shards than pay', [], { DATABASE_URL, RELAY_SHARDS: '17' }, 'RELAY_SHARDS'],
    ['a port there is not', [], { DATABASE_URL, PORT: '70000' }, 'PORT'],
    ['an option there is not', ['--fast'], { DATABASE_URL }, '--fast'],
  ])('refuses %s and names it', (_, args, environment, named) => {
    expect(() => readConfig(args, environment)).toThrow(named);
  });
});
