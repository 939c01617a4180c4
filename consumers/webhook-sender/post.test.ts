import { readFileSync } from 'node:fs';
import { createServer as createHttp, type RequestListener, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server as TcpServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Resolve } from '../outbound/addresses.ts';
import { post, type PostOptions } from './post.ts';
import type { Attempt } from './schedule.ts';

const pem = readFileSync(new URL('../../tests/data/hook.example.pem', import.meta.url), 'utf8');
/** Of those that are to run into it; no other does, on however busy a machine. */
const TIMEOUT_MS = 700;
/** Who is not left in time is not left at all. */
const IN_TIME_MS = 10_000;

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function listen(server: Server | TcpServer, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  open.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Heard {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** An endpoint that notes what comes, and then answers. */
function noting(heard: Heard[], answer: RequestListener = (_, response) => response.writeHead(204).end()): RequestListener {
  return (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      heard.push({ method: request.method, url: request.url, headers: request.headers, body });
      answer(request, response);
    });
  };
}

const always = (...addresses: string[]): Resolve => async () => addresses;

const run = (url: string, options: Partial<PostOptions> = {}, signal = new AbortController().signal): Promise<Attempt> =>
  post({ url, headers: { 'webhook-id': 'x' }, body: '{"a":"ü"}' }, { resolve: always('127.0.0.1'), loopback: true, timeoutMs: 20_000, now: Date.now, ...options }, signal);

async function timed(work: Promise<Attempt>): Promise<{ attempt: Attempt; ms: number }> {
  const startedAt = performance.now();
  return { attempt: await work, ms: performance.now() - startedAt };
}

/** A server that does to each connection what it is told. */
const raw = async (onConnection: (socket: Socket) => void): Promise<number> => {
  const sockets = new Set<Socket>();
  const server = createTcp((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  open.push(() => sockets.forEach((socket) => socket.destroy()));
  return listen(server);
};

describe('a post', () => {
  it('goes to the host of the URL by TLS, with that name asked for and checked, and closes its connection', async () => {
    const heard: Heard[] = [];
    const server = createHttps({ cert: pem, key: pem }, noting(heard));
    const names: unknown[] = [];
    server.on('secureConnection', (socket) => names.push(socket.servername));
    const port = await listen(server);
    const attempt = await run(`https://hook.example:${port}/in?x=1`, { ca: pem });
    expect(attempt).toMatchObject({ kind: 'answered', status: 204, retryAfterMs: null });
    expect(names).toEqual(['hook.example']);
    expect(heard).toMatchObject([{ method: 'POST', url: '/in?x=1', body: '{"a":"ü"}', headers: { host: `hook.example:${port}`, 'content-type': 'application/json', 'content-length': '10', 'webhook-id': 'x', connection: 'close' } }]);
  });

  it('is refused a certificate of another name, and one that nobody vouches for', async () => {
    const port = await listen(createHttps({ cert: pem, key: pem }, noting([])));
    expect(await run(`https://other.example:${port}/`, { ca: pem })).toMatchObject({ kind: 'failed', failure: 'tls' });
    expect(await run(`https://hook.example:${port}/`)).toMatchObject({ kind: 'failed', failure: 'tls' });
  });

  it('connects to the address that was checked, whatever the name says a moment later', async () => {
    const [first, second]: [Heard[], Heard[]] = [[], []];
    const port = await listen(createHttp(noting(first)));
    const other = createHttp(noting(second));
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.2', resolve));
    open.push(() => other.close());
    let asked = 0;
    const rebinding: Resolve = async () => [(asked += 1) === 1 ? '127.0.0.1' : '127.0.0.2'];
    expect(await run(`http://127.0.0.1.example:${port}/`, { resolve: rebinding })).toMatchObject({ kind: 'answered', status: 204 });
    expect([asked, first.length, second.length]).toEqual([1, 1, 0]);
    expect(await run(`http://127.0.0.1.example:${port}/`, { resolve: rebinding })).toMatchObject({ kind: 'answered' });
    expect([asked, first.length, second.length]).toEqual([2, 1, 1]);
  });

  it.each([
    ['a private address among public ones', 'https://hook.example/', ['93.184.216.34', '10.0.0.1']],
    ['loopback', 'https://hook.example/', ['127.0.0.1']],
    ['a mapped loopback', 'https://hook.example/', ['::ffff:127.0.0.1']],
    ['metadata', 'https://hook.example/', ['169.254.169.254']],
    ['a decimal loopback', 'https://2130706433/', ['8.8.8.8']],
    ['an octal loopback', 'https://0177.0.0.1/', ['8.8.8.8']],
    ['a hexadecimal loopback', 'https://0x7f000001/', ['8.8.8.8']],
    ['no TLS', 'http://hook.example/', ['93.184.216.34']],
    ['no address', 'https://hook.example/', []],
  ])('never leaves for %s', async (_, url, addresses) => {
    const heard: Heard[] = [];
    await listen(createHttp(noting(heard)));
    expect(await run(url, { loopback: false, resolve: always(...addresses) })).toMatchObject({ kind: 'failed', failure: 'forbidden_address' });
  });

  it('never reaches a server on loopback, in production, by any notation of its port', async () => {
    const heard: Heard[] = [];
    const port = await listen(createHttps({ cert: pem, key: pem }, noting(heard)));
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:7f00:1]', '2130706433', '0', 'hook.example']) {
      expect([host, await run(`https://${host}:${port}/`, { loopback: false, ca: pem })]).toMatchObject([host, { failure: 'forbidden_address' }]);
    }
    expect(heard).toEqual([]);
  });

  it('follows no redirect', async () => {
    const [inner, outer]: [Heard[], Heard[]] = [[], []];
    const target = await listen(createHttp(noting(inner)));
    const port = await listen(createHttp(noting(outer, (_, response) => response.writeHead(307, { location: `http://127.0.0.1:${target}/` }).end())));
    expect(await run(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'answered', status: 307 });
    expect([outer.length, inner.length]).toEqual([1, 0]);
  });

  it('hears Retry-After', async () => {
    const port = await listen(createHttp(noting([], (_, response) => response.writeHead(503, { 'retry-after': '7' }).end('busy'))));
    expect(await run(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'answered', status: 503, retryAfterMs: 7_000 });
  });

  it('ends in time where the host takes no end of answering', async () => {
    const slow = await raw((socket) => {
      const timer = setInterval(() => socket.write('X'), 20);
      socket.on('close', () => clearInterval(timer));
      socket.write('HTTP/1.1 200 OK\r\nX: ');
    });
    const silent = await raw(() => {});
    const informing = await raw((socket) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    for (const port of [slow, silent, informing]) {
      const { attempt, ms } = await timed(run(`http://127.0.0.1:${port}/`, { timeoutMs: TIMEOUT_MS }));
      expect(attempt).toMatchObject({ kind: 'failed', failure: 'timeout' });
      expect(ms).toBeLessThan(IN_TIME_MS);
    }
    const unresolved = await timed(run('https://hook.example/', { resolve: () => new Promise(() => {}), timeoutMs: TIMEOUT_MS }));
    expect(unresolved.attempt).toMatchObject({ kind: 'failed', failure: 'timeout' });
    expect(unresolved.ms).toBeLessThan(IN_TIME_MS);
  });

  it('reads little of an answer that has no end, or comes in drops, and takes its status', async () => {
    let written = 0;
    const huge = await listen(createHttp(noting([], (_, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(64 * 1024);
      const pump = (): void => {
        while (!response.destroyed && response.write(chunk)) written += chunk.length;
        if (!response.destroyed) response.once('drain', pump);
      };
      pump();
    })));
    const dripping = await listen(createHttp(noting([], (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    })));
    for (const [port, answerMs] of [[huge, 60_000], [dripping, 300]] as const) {
      const { attempt, ms } = await timed(run(`http://127.0.0.1:${port}/`, { timeoutMs: 60_000, answerMs }));
      expect(attempt).toMatchObject({ kind: 'answered', status: 200 });
      expect(ms).toBeLessThan(IN_TIME_MS);
    }
    expect(written).toBeLessThan(32 * 1024 * 1024);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['hangs up', (socket) => socket.destroy()],
    ['speaks no HTTP', (socket) => socket.write('220 smtp ready\r\n')],
    ['sends a megabyte of headers', (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1024 * 1024)}\r\n\r\n`)],
    ['wants another protocol', (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')],
  ])('fails where the host %s', async (_, onConnection) => {
    const port = await raw(onConnection);
    expect(await run(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'failed', failure: 'connection' });
  });

  it('says that a name has no address, and that nobody listens', async () => {
    const gone = Object.assign(new Error('queryA ENOTFOUND hook.example'), { code: 'ENOTFOUND', syscall: 'queryA' });
    expect(await run('https://hook.example/', { resolve: () => Promise.reject(gone) })).toMatchObject({ kind: 'failed', failure: 'dns' });
    const port = await listen(createHttp());
    open.splice(0).forEach((close) => close());
    expect(await run(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'failed', failure: 'connection' });
  });

  it('ends at once with its process', async () => {
    const port = await raw(() => {});
    const ending = new AbortController();
    setTimeout(() => ending.abort(), 50);
    const { attempt, ms } = await timed(run(`http://127.0.0.1:${port}/`, { timeoutMs: 20_000 }, ending.signal));
    expect(attempt.kind).toBe('failed');
    expect(ms).toBeLessThan(IN_TIME_MS);
  });
});
