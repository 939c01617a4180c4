import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readBackend } from '../../db/queries/relay.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { Link } from '../../tests/support/link.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { ExclusiveSession } from './exclusive-session.ts';

const ROLE = { relayOfShard: 0 };

describe('a session that holds a role', () => {
  let database: TestDatabase;
  let link: Link;
  const sessions: ExclusiveSession[] = [];

  beforeEach(async () => {
    database = await testDatabase();
    link = await Link.start({ port: Number(new URL(database.url).port), random: Math.random });
  });

  afterEach(async () => {
    vi.useRealTimers();
    await Promise.all(sessions.splice(0).map((session) => session.close(true)));
    await link.close();
    await database.drop();
  });

  function open(url: string): ExclusiveSession {
    const session = new ExclusiveSession(url, 'colink-relay', ROLE);
    sessions.push(session);
    return session;
  }

  function openThroughLink(): ExclusiveSession {
    const url = new URL(database.url);
    url.port = String(link.port);
    return open(url.href);
  }

  it('keeps it while its holder waits for others', async () => {
    const [holder, other] = [open(database.url), open(database.url)];
    expect(await holder.term()).toBe(1);
    const backend = await readBackend(holder.sql);
    await new Promise((resolve) => {
      setTimeout(resolve, 6_500);
    });
    expect(await other.term()).toBeNull();
    expect(await readBackend(holder.sql)).toBe(backend);
  });

  it('loses it within seconds where it is cut off without a word', async () => {
    const [holder, other] = [openThroughLink(), open(database.url)];
    expect(await holder.term()).toBe(1);
    link.judge = () => 'drop';
    const begun = Date.now();
    await eventually(async () => (await other.term()) === 1, 20_000);
    expect(Date.now() - begun).toBeLessThan(15_000);
  });

  it('replaces a link that died without a word, and rejects what waits for it', async () => {
    const holder = openThroughLink();
    expect(await holder.term()).toBe(1);
    vi.useFakeTimers({ toFake: ['Date', 'setInterval'] });
    const waiting = openThroughLink();
    await waiting.term();
    link.judge = () => 'drop';
    const answer = readBackend(waiting.sql).catch(String);
    vi.advanceTimersByTime(63_000);
    expect(await answer).toMatch(/CONNECTION/);
    link.clear();
    expect(await readBackend(waiting.sql)).toBeGreaterThan(0);
  });
});
