import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { uuidv7 } from 'uuidv7';
import { afterEach, describe, expect, it } from 'vitest';
import { type Announcement, announcementsSchema, type AnnounceAnswer, MAX_ANNOUNCEMENTS } from '../../protocol/announcements.ts';
import { classify } from '../runtime/classify.ts';
import { workerAnnouncer } from './rooms.ts';

let server: Server | null = null;
afterEach(() => server?.close());

/** A Worker that answers so, and how many it was told of in each call. */
async function worker(status: AnnounceAnswer['status'], http = 200): Promise<{ url: string; calls: number[] }> {
  const calls: number[] = [];
  const listening = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { data } = announcementsSchema.parse(JSON.parse(body));
      calls.push(data.length);
      response.writeHead(http, { 'Content-Type': 'application/json' }).end(JSON.stringify({ data: data.map(() => ({ status })) }));
    });
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}`, calls };
}

const toRoom = (): Announcement => ({ to: 'room', channel_id: uuidv7(), changes: [], revoked: [], channel: null });
const toInbox = (): Announcement => ({ to: 'inbox', user_id: uuidv7(), credential_id: uuidv7() });

describe('workerAnnouncer', () => {
  it('tells all, in calls of at most so many, and nothing where there is nothing to tell', async () => {
    const { url, calls } = await worker('told');
    const announcer = workerAnnouncer({ url, token: 'x' }, Date.now);
    await announcer.announce([]);
    await announcer.announce([...Array.from({ length: MAX_ANNOUNCEMENTS }, toRoom), toInbox()]);
    expect(calls).toEqual([MAX_ANNOUNCEMENTS, 1]);
  });

  it.each<[string, AnnounceAnswer['status'], number, 'none' | 'infrastructure' | 'record']>([
    ['a channel that is gone holds up nobody', 'unknown', 200, 'none'],
    ['a room that cannot be reached waits', 'unavailable', 200, 'infrastructure'],
    ['a Worker that answers an error waits', 'told', 503, 'infrastructure'],
    ['a room that fails is that key\'s failure', 'failed', 200, 'record'],
  ])('%s', async (_, status, http, fault) => {
    const { url } = await worker(status, http);
    expect(await workerAnnouncer({ url, token: 'x' }, Date.now).announce([toRoom()]).then(() => 'none', classify)).toBe(fault);
  });
});
