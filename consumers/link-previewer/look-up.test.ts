import { readFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { Resolve } from '../outbound/addresses.ts';
import { SiteGate } from './gate.ts';
import { type Look, lookUp, type LookOptions } from './look-up.ts';

const pem = readFileSync(new URL('../../tests/data/hook.example.pem', import.meta.url), 'utf8');
/** Of those that are to run into it; no other does, on however busy a machine. */
const TIMEOUT_MS = 700;
/** Who is not left in time is not left at all. */
const IN_TIME_MS = 10_000;

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function listen(server: Server, host = '127.0.0.1', port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  open.push(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const serve = (listener: RequestListener): Promise<number> => listen(createHttp(listener));
const html = (title: string): RequestListener => (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(`<title>${title}</title>`);
const raw = (onConnection: (socket: Socket) => void): Promise<number> => listen(createTcp(onConnection));
const always = (...addresses: string[]): Resolve => async () => addresses;
const never: Resolve = () => Promise.reject(new Error('nobody was to ask for a name'));

const LOCAL: LookOptions = { resolve: always('127.0.0.1'), loopback: true, ownHost: null, timeoutMs: 20_000, enter: () => () => {} };
const PUBLIC: LookOptions = { ...LOCAL, loopback: false };
const look = (url: string, options: Partial<LookOptions> = {}, signal = new AbortController().signal): Promise<Look> => lookUp(url, { ...LOCAL, ...options }, signal);
const found = (title: string): Look => ({ kind: 'found', preview: { title, description: null, site_name: null } });

describe('a page', () => {
  it('is asked for as anybody would, by name, with nothing that says who wants it', async () => {
    const heard: IncomingMessage[] = [];
    const port = await serve((request, response) => {
      heard.push(request);
      html('T')(request, response);
    });
    expect(await look(`http://page.example:${port}/a?b=c#d`)).toEqual(found('T'));
    expect(heard.map(({ method, url }) => [method, url])).toEqual([['GET', '/a?b=c']]);
    expect(heard[0]?.headers).toEqual({
      host: `page.example:${port}`, connection: 'close', accept: 'text/html,application/xhtml+xml', 'accept-encoding': 'identity', 'user-agent': expect.stringMatching(/^Colink-LinkPreviews\/1 /),
    });
  });

  it('comes by TLS from who has a certificate of its name', async () => {
    const port = await listen(createHttps({ cert: pem, key: pem }, html('safe')));
    expect(await look(`https://hook.example:${port}/`, { ca: pem })).toEqual(found('safe'));
    expect(await look(`https://other.example:${port}/`, { ca: pem })).toEqual({ kind: 'failed', reason: 'tls' });
    expect(await look(`https://hook.example:${port}/`)).toEqual({ kind: 'failed', reason: 'tls' });
  });

  it.each([
    ['UTF-8, with bytes that are none', 'text/html', Buffer.concat([Buffer.from('<title>ü'), Buffer.from([0xff, 0xfe, 0x00]), Buffer.from('x</title>')]), 'ü\ufffd\ufffdx'],
    ['Shift_JIS, by its header', 'text/html; charset=Shift_JIS', Buffer.concat([Buffer.from('<title>'), Buffer.from([0x93, 0x8c, 0x8b, 0x9e]), Buffer.from('</title>')]), '東京'],
    ['windows-1251, by its own word', 'text/html', Buffer.concat([Buffer.from('<meta charset=windows-1251><title>'), Buffer.from([0xcc, 0xe8, 0xf0]), Buffer.from('</title>')]), 'Мир'],
    ['UTF-16, by its mark', 'application/xhtml+xml', Buffer.from('\ufeff<title>东</title>', 'utf16le'), '东'],
  ])('is read as %s', async (_, type, content, title) => {
    const port = await serve((_request, response) => void response.writeHead(200, { 'content-type': type }).end(content));
    expect(await look(`http://127.0.0.1:${port}/`)).toEqual(found(title));
  });

  it('is read as it comes, cut within characters', async () => {
    const page = Buffer.from(`<!--${'x'.repeat(1_500)}--><title>東京</title>`);
    const cuts = [page.indexOf('東') + 1, page.indexOf('京') + 2] as const;
    const port = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).write(page.subarray(0, cuts[0]));
      setTimeout(() => response.write(page.subarray(...cuts)), 60);
      setTimeout(() => response.end(page.subarray(cuts[1])), 120);
    });
    expect(await look(`http://127.0.0.1:${port}/`)).toEqual(found('東京'));
  });

  it.each<[string, RequestListener, Look]>([
    ['is not there', (_, response) => response.writeHead(404, { 'content-type': 'text/html' }).end('<title>x</title>'), { kind: 'none', reason: 'status' }],
    ['is for others', (_, response) => response.writeHead(401, { 'content-type': 'text/html' }).end('<title>x</title>'), { kind: 'none', reason: 'status' }],
    ['is not there now', (_, response) => response.writeHead(503).end(), { kind: 'failed', reason: 'status' }],
    ['is asked for too often', (_, response) => response.writeHead(429).end(), { kind: 'failed', reason: 'status' }],
    ['is no page', (_, response) => response.writeHead(200, { 'content-type': 'image/png' }).end('<title>x</title>'), { kind: 'none', reason: 'not_html' }],
    ['does not say what it is', (_, response) => response.writeHead(200).end('<title>x</title>'), { kind: 'none', reason: 'not_html' }],
    ['is packed, though nobody asked for that', (_, response) => response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(64 * 1024 * 1024))), { kind: 'none', reason: 'encoded' }],
    ['says nothing', (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>hello'), { kind: 'none', reason: 'no_title' }],
    ['is elsewhere, nobody knows where', (_, response) => response.writeHead(302, { location: 'http://[' }).end(), { kind: 'none', reason: 'status' }],
  ])('that %s shows nothing', async (_, listener, expected) => {
    expect(await look(`http://127.0.0.1:${await serve(listener)}/`)).toEqual(expected);
  });
});

describe('nobody is asked', () => {
  it.each([
    ['a private address among public ones', ['93.184.216.34', '10.0.0.1']], ['loopback', ['127.0.0.1']], ['mapped loopback', ['::ffff:127.0.0.1']], ['mapped public', ['::ffff:8.8.8.8']],
    ['link-local', ['169.254.1.1']], ['metadata', ['169.254.169.254']], ['metadata by IPv6', ['fd00:ec2::254']], ['NAT64', ['64:ff9b::a9fe:a9fe']], ['6to4', ['2002:7f00:1::']], ['no address', []],
  ])('at a name of %s', async (_, addresses) => {
    expect(await lookUp('https://page.example/', { ...PUBLIC, resolve: always(...addresses) }, new AbortController().signal)).toEqual({ kind: 'none', reason: 'forbidden_address' });
  });

  it.each(['http://127.0.0.1/', 'http://[::1]/', 'http://2130706433/', 'http://0x7f.1/', 'http://169.254.169.254/latest/meta-data/', 'http://localhost/', 'https://page.example:8443/', 'https://u:p@page.example/', 'ftp://page.example/'])('%s', async (url) => {
    expect(await lookUp(url, { ...PUBLIC, resolve: never }, new AbortController().signal)).toEqual({ kind: 'none', reason: 'forbidden_address' });
  });

  it('at an address that the name has only after it was checked', async () => {
    const heard: string[] = [];
    const hear = (name: string): RequestListener => (request, response) => {
      heard.push(name);
      html(name)(request, response);
    };
    const port = await serve(hear('first'));
    await listen(createHttp(hear('second')), '127.0.0.2', port);
    let asked = 0;
    const rebinding: Resolve = async () => [(asked += 1) === 1 ? '127.0.0.1' : '127.0.0.2'];
    expect(await look(`http://page.example:${port}/`, { resolve: rebinding })).toEqual(found('first'));
    expect([asked, heard]).toEqual([1, ['first']]);
  });
});

describe('a redirect', () => {
  const to = (location: string, status = 302): RequestListener => (_, response) => response.writeHead(status, { location }).end();

  it.each([301, 302, 303, 307, 308])('by %i leads on, also relatively', async (status) => {
    const port = await serve((request, response) => (request.url === '/a/b' ? to('../c?d', status) : html(`at ${request.url}`))(request, response));
    expect(await look(`http://127.0.0.1:${port}/a/b`)).toEqual(found('at /c?d'));
  });

  it('is followed three times', async () => {
    const port = await serve((request, response) => {
      const left = Number(request.url?.slice(1));
      (left === 0 ? html('end') : to(`/${left - 1}`))(request, response);
    });
    expect(await look(`http://127.0.0.1:${port}/3`)).toEqual(found('end'));
    expect(await look(`http://127.0.0.1:${port}/4`)).toEqual({ kind: 'none', reason: 'too_many_redirects' });
  });

  it('has its host looked at as the first one: to a name that leads inside, at the second resolution of one name too, nobody is sent', async () => {
    const reached: string[] = [];
    const inner = await serve((request, response) => {
      reached.push(request.url ?? '');
      html('secret')(request, response);
    });
    const outer = await serve((request, response) => to(`http://${request.url?.slice(1) ?? ''}:${inner}/inside`)(request, response));
    // What is public in this test is 127.0.0.1; what is not is 10.0.0.1.
    const names: Readonly<Record<string, readonly string[]>> = { 'outside.example': ['127.0.0.1'], 'inside.example': ['10.0.0.1'], 'both.example': ['127.0.0.1', '10.0.0.1'] };
    const resolve: Resolve = async (name) => names[name] ?? [];
    for (const name of ['inside.example', 'both.example', '10.0.0.1', '169.254.169.254', 'nowhere.example']) {
      expect([name, await look(`http://outside.example:${outer}/${name}`, { resolve })]).toMatchObject([name, { kind: 'none', reason: 'forbidden_address' }]);
    }
    let asked = 0;
    const rebinding: Resolve = async () => [(asked += 1) === 1 ? '127.0.0.1' : '10.0.0.1'];
    const back = await serve((request, response) => to(`http://outside.example:${outer}${request.url ?? ''}`)(request, response));
    expect(await look(`http://outside.example:${back}/outside.example`, { resolve: rebinding })).toMatchObject({ kind: 'none', reason: 'forbidden_address' });
    expect([asked, reached]).toEqual([2, []]);
  });

  it.each([
    ['credentials', 'http://u:p@outside.example/'], ['another scheme', 'file:///etc/passwd'], ['Colink itself', 'http://chat.example/'],
  ])('to %s is refused', async (_, location) => {
    const port = await serve(to(location));
    expect(await look(`http://127.0.0.1:${port}/`, { ownHost: 'chat.example' })).toEqual({ kind: 'none', reason: 'forbidden_redirect' });
  });

  it('from TLS to none is refused; the other way is fine', async () => {
    const plain = await serve(html('plain'));
    const safe = await listen(createHttps({ cert: pem, key: pem }, (request, response) => (request.url === '/down' ? to(`http://127.0.0.1:${plain}/`) : html('safe'))(request, response)));
    const up = await serve(to(`https://hook.example:${safe}/`));
    expect(await look(`https://hook.example:${safe}/down`, { ca: pem })).toEqual({ kind: 'none', reason: 'forbidden_redirect' });
    expect(await look(`http://127.0.0.1:${up}/`, { ca: pem })).toEqual(found('safe'));
  });

  it('to a site that is asked enough already waits', async () => {
    const gate = new SiteGate(2);
    const enter = (url: URL) => gate.enter(url);
    const arrived: ServerResponse[] = [];
    const target = await serve((_, response) => void arrived.push(response));
    const outer = await serve(to(`http://a.victim.example:${target}/`));
    const looks = Array.from({ length: 3 }, (_, n) => look(`http://s${n}.example${n}.com:${outer}/`, { enter }));
    await expect.poll(() => arrived.length).toBe(2);
    expect(await Promise.race(looks)).toEqual({ kind: 'failed', reason: 'busy' });
    for (const response of arrived) response.writeHead(200, { 'content-type': 'text/html' }).end('<title>T</title>');
    expect((await Promise.all(looks)).filter(({ kind }) => kind === 'found')).toHaveLength(2);
    expect(gate.enter(new URL('http://b.victim.example/'))).not.toBeNull();
  });
});

describe('a host that would hold us', () => {
  async function timed(work: Promise<Look>): Promise<{ result: Look; ms: number }> {
    const begun = performance.now();
    return { result: await work, ms: performance.now() - begun };
  }
  const drip = (socket: Socket, begin: string, drop: string): void => {
    const timer = setInterval(() => socket.write(drop), 10);
    socket.on('error', () => {}).on('close', () => clearInterval(timer));
    socket.write(begin);
  };
  const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n';

  it.each<[string, (socket: Socket) => void]>([
    ['says nothing', () => {}],
    ['never ends its head', (socket) => drip(socket, 'HTTP/1.1 200 OK\r\nX: ', 'x')],
    ['sends news of its answer', (socket) => drip(socket, '', 'HTTP/1.1 103 Early Hints\r\n\r\n')],
    ['sends its page in drops', (socket) => drip(socket, `${HEAD}\r\n<!--`, 'x')],
  ])('and %s is left in time', async (_, onConnection) => {
    const port = await raw(onConnection);
    const { result, ms } = await timed(look(`http://127.0.0.1:${port}/`, { timeoutMs: TIMEOUT_MS }));
    expect(result).toEqual({ kind: 'failed', reason: 'timeout' });
    expect(ms).toBeLessThan(IN_TIME_MS);
  });

  it('and whose name is never resolved, or that redirects slowly, is left in the same time', async () => {
    const slow = await serve((_, response) => void setTimeout(() => response.writeHead(302, { location: '/again' }).end(), 300));
    for (const work of [look('http://page.example/', { resolve: () => new Promise(() => {}), timeoutMs: TIMEOUT_MS }), look(`http://127.0.0.1:${slow}/`, { timeoutMs: TIMEOUT_MS })]) {
      const { result, ms } = await timed(work);
      expect(result).toEqual({ kind: 'failed', reason: 'timeout' });
      expect(ms).toBeLessThan(IN_TIME_MS);
    }
  });

  it('and sends without end is read for half a megabyte', async () => {
    let [written, closed] = [0, false];
    const port = await raw((socket) => {
      socket.on('error', () => {}).on('close', () => (closed = true));
      socket.write(`${HEAD}\r\n<title>T</title>`);
      const chunk = Buffer.alloc(64 * 1024, '<p>');
      const pump = (): void => {
        while (!socket.destroyed && socket.write(chunk)) written += chunk.length;
        if (!socket.destroyed) socket.once('drain', pump);
      };
      pump();
    });
    expect(await look(`http://127.0.0.1:${port}/`, {})).toEqual(found('T'));
    await expect.poll(() => closed).toBe(true);
    expect(written).toBeLessThan(32 * 1024 * 1024);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['hangs up', (socket) => socket.destroy()],
    ['speaks no HTTP', (socket) => socket.write('220 smtp ready\r\n')],
    ['has a megabyte of headers', (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1024 * 1024)}\r\n\r\n`)],
    ['wants another protocol', (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')],
    ['breaks off', (socket) => socket.end(`${HEAD}Content-Length: 1000\r\n\r\n<title>T`)],
  ])('and %s has failed', async (_, onConnection) => {
    const port = await raw((socket) => void socket.once('data', () => onConnection(socket)));
    expect(await look(`http://127.0.0.1:${port}/`)).toEqual({ kind: 'failed', reason: 'connection' });
  });

  it('is left at once where the process ends', async () => {
    const port = await raw(() => {});
    const ending = new AbortController();
    setTimeout(() => ending.abort(), 50);
    const { result, ms } = await timed(look(`http://127.0.0.1:${port}/`, { timeoutMs: 20_000 }, ending.signal));
    expect(result.kind).toBe('failed');
    expect(ms).toBeLessThan(IN_TIME_MS);
  });
});

describe('what says nothing of the page', () => {
  it.each([
    ['no name server answers', 'ETIMEOUT', 'queryA', 'away'], ['there is no name server', 'ECONNREFUSED', 'queryAaaa', 'away'], ['no server of the name answers', 'ESERVFAIL', 'queryA', 'away'],
    ['there is no such name', 'ENOTFOUND', 'queryA', 'failed'], ['there is no way', 'ENETUNREACH', 'connect', 'away'], ['nobody listens', 'ECONNREFUSED', 'connect', 'failed'],
  ])('where %s', async (_, code, syscall, kind) => {
    const error = Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
    expect(await look('http://page.example/', { resolve: () => Promise.reject(error) })).toMatchObject({ kind });
    expect(await look('http://page.example/', { resolve: () => Promise.reject(syscall === 'connect' ? new AggregateError([error]) : error) })).toMatchObject({ kind });
  });
});
