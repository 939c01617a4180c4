import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Message } from '../protocol/api.ts';
import { eventually } from './support/event-log.ts';
import { type FleetProcess, metricsOnceTheySay, startFleetProcess } from './support/fleet.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const TOKEN = 'what-only-fleet-and-Worker-know-0123456789';
const SOON = 30_000;

describe('links, from the message to the preview, through Worker, room, fleet and web', () => {
  let world: World;
  let ada: WorldUser;
  let channel: string;
  let web: Server;
  let fleet: FleetProcess | null = null;
  const asked: string[] = [];
  /** Paths that get no answer. */
  const silent = new Set<string>();

  const link = (path: string): string => `http://127.0.0.1:${(web.address() as AddressInfo).port}${path}`;
  const start = (mode = 'loopback'): Promise<FleetProcess> =>
    startFleetProcess({ DATABASE_URL: world.postgresUrl, WORKER_URL: world.baseUrl, FLEET_TOKEN: TOKEN, ENVIRONMENT: 'development', LINK_PREVIEWS: mode });

  beforeAll(async () => {
    web = createServer((request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      if (silent.has(path)) return;
      if (path.startsWith('/moved')) return void response.writeHead(302, { location: '/page' }).end();
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<head><meta property="og:title" content="The page at ${path}"><meta property="og:site_name" content="Pages"></head>`);
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    world = await startWorld('link-previews', 'embedded', { consumers: false, vars: { FLEET_TOKEN: TOKEN } });
    ada = await world.user('ada');
    channel = await world.channel('links', [ada]);
  });
  afterAll(async () => {
    await fleet?.end('SIGKILL');
    web.closeAllConnections();
    web.close();
    await world.close();
  });

  let count = 0;
  async function send(text: string): Promise<string> {
    count += 1;
    return (await ada.api.send(channel, { client_msg_id: `m-${count}`, text })).message_id;
  }
  async function read(messageId: string): Promise<Message | undefined> {
    return (await ada.api.history(channel, { limit: 100 })).data.find(({ id }) => id === messageId);
  }
  const titles = async (messageId: string): Promise<string[]> => ((await read(messageId))?.previews ?? []).map(({ title }) => title);

  it('a process that is killed with a page leaves it to the next, which asks again; the message has one preview, told once (G1, G2)', async () => {
    silent.add('/slow');
    fleet = await start();
    const id = await send(`look: ${link('/slow')}`);
    await eventually(() => asked.includes('/slow'), SOON);
    expect(await fleet.end('SIGKILL')).toBe('SIGKILL');
    silent.clear();
    fleet = await start();
    await eventually(async () => (await titles(id)).length > 0, 60_000);
    expect(await titles(id)).toEqual(['The page at /slow']);
    expect(asked).toEqual(['/slow', '/slow']);
    const told = await world.sql`SELECT FROM event_log e WHERE e.key = ${channel} AND e.type = 'colink.message.previewed.v1'`;
    expect(told).toHaveLength(1);
  }, 120_000);

  it('an edit changes the preview, a removal is for good, and a deleted message has none', async () => {
    const [edited, removed, deleted] = [await send(link('/one')), await send(link('/one')), await send(link('/one'))];
    for (const id of [edited, removed, deleted]) await eventually(async () => (await titles(id))[0] === 'The page at /one', SOON);
    expect(asked.filter((path) => path === '/one')).toHaveLength(1);
    await ada.api.edit(channel, edited, link('/moved'));
    await ada.api.removePreviews(channel, removed);
    await ada.api.edit(channel, removed, link('/moved?again'));
    await ada.api.remove(channel, deleted);
    await eventually(async () => (await titles(edited))[0] === 'The page at /page', SOON);
    await eventually(() => asked.includes('/moved?again'), SOON);
    await eventually(async () => (await world.sql`SELECT FROM link_messages`).length === 0, SOON);
    const after = await send('after');
    await eventually(async () => (await read(after)) !== undefined && (await read(deleted))?.deleted_at !== null, SOON);
    expect([await titles(removed), await titles(deleted)]).toEqual([[], []]);
    // Of the first text there was something to tell; of the second, found behind the removal, nobody was told.
    const told = await world.sql<{ revision: string }[]>`SELECT e.data ->> 'revision' AS revision FROM event_log e WHERE e.type = 'colink.message.previewed.v1' AND e.data ->> 'message_id' = ${removed}`;
    expect(told.map(({ revision }) => revision)).toEqual(['1']);
    expect(await world.sql`SELECT FROM message_previews p WHERE p.message_id = ${deleted}`).toHaveLength(0);
  });

  it('tells of itself in metrics, and writes no address into its log', async () => {
    const id = await send(link('/secret-capability?key=do-not-log-me'));
    await eventually(async () => (await titles(id)).length > 0, SOON);
    await metricsOnceTheySay(
      fleet?.url ?? '',
      /colink_link_pages_total\{outcome="found",reason=""\} [1-9]/,
      /colink_link_previews_told_total [1-9]/,
      'colink_link_pages_waiting 0',
      /colink_link_page_seconds_count [1-9]/,
    );
    expect(fleet?.lines.join('\n')).not.toContain('do-not-log-me');
    expect(await world.sql`SELECT FROM link_pages p WHERE p::text LIKE '%do-not-log-me%' AND p.url IS NOT NULL`).toHaveLength(0);
  });

  it('switched off, asks for nothing, and passes over what is written', async () => {
    expect(await fleet?.end('SIGTERM')).toBe(0);
    fleet = await start('off');
    await send(link('/off'));
    await eventually(async () => {
      const [row] = await world.sql<[{ behind: number }]>`SELECT count(*)::integer AS behind FROM event_log e WHERE e.topic = 'message.events' AND e.key = ${channel} AND e.position > coalesce((SELECT max(k.position) FROM consumer_keys k WHERE k.group_id = 'link-previewer' AND k.key = ${channel}), 0)`;
      return row.behind === 0;
    }, SOON);
    expect(await world.sql`SELECT FROM link_messages`).toHaveLength(0);
    expect(asked).not.toContain('/off');
    expect(await (await fetch(`${fleet.url}/metrics`)).text()).not.toContain('colink_link_pages_total');
  });
});
