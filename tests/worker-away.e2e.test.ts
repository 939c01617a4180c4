import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { detect } from '../dev/components.ts';
import { whyNoBroker } from '../dev/transport.ts';
import { type InboxServerFrame, inboxServerFrameSchema } from '../protocol/frames.ts';
import { SUBPROTOCOL } from '../protocol/version.ts';
import { eventually } from './support/event-log.ts';
import { type FleetProcess, startFleetProcess } from './support/fleet.ts';
import { Link } from './support/link.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const AWAY_S = 60;
const TOKEN = 'what-only-fleet-and-Worker-know-0123456789';
const missing = whyNoBroker(detect());

describe.skipIf(missing !== null)('the Worker as the fleet reaches it', () => {
  let world: World;
  let link: Link;
  let fleet: FleetProcess | undefined;

  beforeAll(async () => {
    world = await startWorld('worker-away', 'kafka', { consumers: false, vars: { FLEET_TOKEN: TOKEN } });
    link = await Link.start({ port: Number(new URL(world.baseUrl).port), random: Math.random });
    fleet = await startFleetProcess({
      DATABASE_URL: world.postgresUrl, KAFKA_BROKERS: world.brokers ?? '', WORKER_URL: `http://127.0.0.1:${link.port}`, FLEET_TOKEN: TOKEN,
    });
  });
  afterAll(async () => {
    await fleet?.end('SIGKILL');
    await link.close();
    await world.close();
  });

  /** The messages that somebody's inbox was told of, in the order in which it was. */
  async function noticesOf({ token }: WorldUser): Promise<{ readonly messages: string[]; close(): void }> {
    const messages: string[] = [];
    const socket = new WebSocket(new URL('/v1/me/socket', world.baseUrl.replace('http', 'ws')), SUBPROTOCOL, { headers: { authorization: `Bearer ${token}` } });
    const { promise: isWelcome, resolve: welcome } = Promise.withResolvers<void>();
    const take = (frame: InboxServerFrame): void => {
      if (frame.type === 'welcome') welcome();
      if (frame.type === 'events') messages.push(...frame.events.flatMap((event) => (event.type === 'message.notified' ? [event.message_id] : [])));
      if (frame.type === 'welcome') socket.send(JSON.stringify({ type: 'ack', seq: frame.seq }));
      if (frame.type === 'events') socket.send(JSON.stringify({ type: 'ack', seq: frame.to }));
    };
    socket.on('message', (data) => take(inboxServerFrameSchema.parse(JSON.parse(String(data)))));
    await isWelcome;
    return { messages, close: () => socket.close() };
  }

  const leftovers = async (): Promise<unknown> => {
    const [row] = await world.db.execute(sql`SELECT (SELECT count(*)::integer FROM parked_keys) AS parked, (SELECT count(*)::integer FROM dead_letters) AS dead`);
    return row;
  };

  it(`G1, G2, G3: is away for ${AWAY_S} s: what it should have been told waits, nothing is parked or a dead letter, and every notice is given once and in order after`, async () => {
    const [alice, bob] = [await world.user('alice'), await world.user('bob')];
    const channel = await world.channel('away', [alice, bob]);
    const notices = await noticesOf(bob);
    const sent: string[] = [];
    const ending = new AbortController();
    const writing = (async () => {
      for (let n = 1; !ending.signal.aborted; n += 1, await sleep(200)) sent.push((await alice.api.send(channel, { client_msg_id: `n${n}`, text: `@bob ${n}` })).message_id);
    })();
    await eventually(() => notices.messages.length >= 5, 60_000);

    link.judge = () => 'reset';
    await sleep(1_000);
    const told = notices.messages.length;
    await sleep((AWAY_S - 1) * 1_000);
    expect(notices.messages.length).toBe(told);
    expect(sent.length).toBeGreaterThan(told + 50);
    expect(await leftovers()).toEqual({ parked: 0, dead: 0 });
    const ready = await fetch(`${fleet?.url}/ready`);
    expect({ status: ready.status, body: await ready.json() }).toMatchObject({ status: 200, body: { status: 'degraded', worker: 'unavailable' } });
    link.clear();
    await sleep(2_000);
    ending.abort();
    await writing;

    await eventually(() => notices.messages.length >= sent.length, 60_000, () => ({ sent: sent.length, told: notices.messages.length }));
    await sleep(500);
    expect(notices.messages).toEqual(sent);
    expect(await leftovers()).toEqual({ parked: 0, dead: 0 });
    await eventually(async () => /^colink_consumer_lag_records\{group="notifier"\} 0$/m.test(await (await fetch(`${fleet?.url}/metrics`)).text()), 30_000);
    notices.close();
    console.info(`${sent.length} notices, ${sent.length - told} of them waited`);
  }, 240_000);
});
