import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { uuidv7 } from 'uuidv7';
import { afterEach, describe, expect, it } from 'vitest';
import { MAX_TELLINGS, type TellAnswer, tellingsSchema, type UserTelling } from '../../protocol/tellings.ts';
import { classify } from '../runtime/classify.ts';
import { workerInboxes } from './inboxes.ts';

const telling = (user_id = uuidv7()): UserTelling => ({ user_id, changes: [], notices: [], badges: [] });

let server: Server | null = null;
afterEach(() => server?.close());

/** A Worker that answers so for each inbox, and what it was asked. */
async function worker(answer: (userId: string) => TellAnswer, status = 200): Promise<{ url: string; calls: { authorization: string | undefined; users: string[] }[] }> {
  const calls: { authorization: string | undefined; users: string[] }[] = [];
  const listening = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { data } = tellingsSchema.parse(JSON.parse(body));
      calls.push({ authorization: request.headers.authorization, users: data.map(({ user_id }) => user_id) });
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ data: data.map(({ user_id }) => answer(user_id)) }));
    });
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}`, calls };
}

describe('workerInboxes', () => {
  it('tells all, in calls of at most so many, and returns those that sleep', async () => {
    const tellings = Array.from({ length: MAX_TELLINGS + 1 }, () => telling());
    const last = tellings.at(-1)?.user_id;
    const { url, calls } = await worker((userId) => (userId === last ? { status: 'asleep', awake_version: 7 } : { status: 'told' }));
    expect(await workerInboxes({ url, token: 'secret' }, Date.now).tell(tellings)).toEqual([{ user_id: last, awake_version: 7 }]);
    expect(calls.map(({ users }) => users.length)).toEqual([MAX_TELLINGS, 1]);
    expect(calls[0]?.authorization).toBe('Bearer secret');
    expect(await workerInboxes({ url, token: 'secret' }, Date.now).tell([])).toEqual([]);
  });

  it.each<[string, TellAnswer['status'], number, 'infrastructure' | 'record']>([
    ['an inbox that cannot be reached waits', 'unavailable', 200, 'infrastructure'],
    ['a Worker that answers an error waits', 'told', 503, 'infrastructure'],
    ['one that does not know the secret waits', 'told', 404, 'infrastructure'],
    ['an inbox that fails is the record\'s fault, and holds up nobody else', 'failed', 200, 'record'],
    ['one that is full is, too', 'backlogged', 200, 'record'],
  ])('%s', async (_, status, http, fault) => {
    const { url } = await worker(() => (status === 'asleep' ? { status, awake_version: 1 } : { status }), http);
    const failure = await workerInboxes({ url, token: 'x' }, Date.now).tell([telling()]).catch((error: unknown) => error);
    expect(classify(failure)).toBe(fault);
  });

  it('an inbox whose user is gone hears nothing, and holds up nobody', async () => {
    const gone = telling();
    const { url, calls } = await worker((userId) => ({ status: userId === gone.user_id ? 'unknown' : 'told' }));
    expect(await workerInboxes({ url, token: 'x' }, Date.now).tell([gone, telling()])).toEqual([]);
    expect(calls).toHaveLength(1);
  });

  it('one that cannot be reached for a minute, while the Worker answers, holds up the group no longer', async () => {
    let now = 0;
    let status: 'told' | 'unavailable' = 'unavailable';
    const { url } = await worker(() => ({ status }));
    const inboxes = workerInboxes({ url, token: 'x' }, () => now);
    const stuck = telling();
    const fault = async (): Promise<string> => inboxes.tell([stuck]).then(() => 'none', classify);
    expect(await fault()).toBe('infrastructure');
    now = 59_000;
    expect(await fault()).toBe('infrastructure');
    now = 60_000;
    expect([await fault(), await fault()]).toEqual(['record', 'record']);
    status = 'told';
    expect(await fault()).toBe('none');
    status = 'unavailable';
    expect(await fault()).toBe('infrastructure');
  });

  it('a Worker that is away is waited for', async () => {
    const failure = await workerInboxes({ url: 'http://127.0.0.1:1', token: 'x' }, Date.now).tell([telling()]).catch((error: unknown) => error);
    expect(classify(failure)).toBe('infrastructure');
  });
});
