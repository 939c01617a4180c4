import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type Duplex, pipeline } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_BATCH_BODY_BYTES } from '../../protocol/limits.ts';
import { CONNECTED, TARGET_HEADER } from './detour.ts';
import type { Judged } from './validation-count.ts';

const EXCHANGE_HEADER = 'x-colink-exchange';
const OF_CONNECTION = new Set(['connection', 'keep-alive']);
/** What is a matter of a connection, or of an end: the proxy's connections have their own. */
const NOT_FOR_PROXY = new Set([...OF_CONNECTION, 'host', 'upgrade', 'transfer-encoding', 'content-length', 'expect', 'te', 'trailer', TARGET_HEADER]);
const forProxy = (headers: IncomingMessage['headers']): IncomingMessage['headers'] => Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_FOR_PROXY.has(name)));
const BODY_TIMEOUT_MS = 1_000;
const VERDICT_TIMEOUT_MS = 30_000;
/** Tests ask for longer paths than Node reads by itself, and the Worker has an answer to each. */
export const MAX_HEAD_BYTES = 128 * 1024;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\b/i;
/** As the parser of `content-type` has it that Prism uses. */
const MEDIA_TYPE = /^\s*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;\s*[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"[^"\\]*")\s*)*$/;

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly rawHeaders: readonly string[];
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** A request as a test sent it, which is asked of the Worker once, whoever wants the answer. */
class Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly #target: string;
  readonly #rawHeaders: string[];
  readonly #gaveUp = new AbortController();
  readonly #asked = Promise.withResolvers<void>();
  #answer: Promise<Answer> | undefined;

  constructor(target: string, { method = '', url = '', headers }: IncomingMessage, rawHeaders: string[], body: Buffer) {
    [this.#target, this.method, this.path, this.headers, this.#rawHeaders, this.body] = [target, method, url, headers, rawHeaders, body];
  }

  /** Resolves when somebody asks for the answer. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  get isAsked(): boolean {
    return this.#answer !== undefined;
  }

  answer(): Promise<Answer> {
    this.#asked.resolve();
    return (this.#answer ??= this.#ask());
  }

  giveUp(): void {
    this.#gaveUp.abort();
  }

  async #ask(): Promise<Answer> {
    const { hostname, port } = new URL(`http://${this.#target}`);
    const sent = request({ hostname, port, method: this.method, path: this.path, headers: this.#rawHeaders, agent: false, signal: this.#gaveUp.signal });
    // A request that is refused for its length is cut off after the answer.
    sent.on('error', () => {});
    sent.end(this.body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, reason: response.statusMessage ?? '', rawHeaders: response.rawHeaders, headers: response.headers, body: await buffer(response) };
  }
}

/** What the Worker answered, without what it says of a connection that is not the test's. */
const forTest = (rawHeaders: readonly string[]): string[] => fieldsOf(rawHeaders).flatMap(([name, value]) => (OF_CONNECTION.has(name.toLowerCase()) ? [] : [name, value]));

/** What a test sent, without what the way by the front has added: its own header, and `Host` where that is the front's. */
function headersFor(target: string, frontAuthority: string, rawHeaders: readonly string[]): string[] {
  const kept = fieldsOf(rawHeaders).filter(([name]) => name.toLowerCase() !== TARGET_HEADER);
  return kept.flatMap(([name, value]) => [name, name.toLowerCase() === 'host' && value === frontAuthority ? target : value]);
}

function fieldsOf(rawHeaders: readonly string[]): [name: string, value: string][] {
  return Array.from({ length: rawHeaders.length / 2 }, (_, at) => [rawHeaders[2 * at] ?? '', rawHeaders[2 * at + 1] ?? '']);
}

/**
 * Both ends of a validation proxy: tests and their browsers send to the front, which sends to the proxy, whose upstream is the back, which asks the Worker. What the proxy makes of a request and of an
 * answer (it writes JSON anew, takes bytes for text) is for its verdict alone: at both ends goes on what came to the other one.
 */
export class ValidationEnds {
  readonly #judged: (judged: Judged) => void;
  /** Connections that a browser's network has opened, which does not know what they will carry, and whom each is for. */
  readonly #targets = new WeakMap<Duplex, string>();
  // A test that asks for another protocol by `fetch` or `rawRequest` wants an answer.
  readonly #front: Server = createServer({ shouldUpgradeCallback: ({ socket }) => this.#targets.has(socket), keepAliveTimeout: 0, maxHeaderSize: MAX_HEAD_BYTES }, (request, response) => void this.#take(request, response).catch(() => response.destroy()));
  readonly #back: Server = createServer({ maxHeaderSize: MAX_HEAD_BYTES }, (request, response) => void this.#passOn(request, response).catch(() => response.destroy()));
  readonly #exchanges = new Map<string, Exchange>();
  readonly #pending = new Set<Promise<void>>();
  #proxy = '';
  #count = 0;

  private constructor(judged: (judged: Judged) => void) {
    this.#judged = judged;
    this.#front.on('connect', ({ url = '' }: IncomingMessage, socket: Duplex) => {
      this.#targets.set(socket, url);
      socket.write(CONNECTED);
      this.#front.emit('connection', socket);
    });
    this.#front.on('upgrade', (incoming: IncomingMessage, socket: Socket, head: Buffer) => passSocket(this.#targets.get(socket) ?? '', incoming, socket, head));
  }

  static async listen(judged: (judged: Judged) => void): Promise<ValidationEnds> {
    const ends = new ValidationEnds(judged);
    for (const server of [ends.#front, ends.#back]) await once(server.listen(0, '127.0.0.1'), 'listening');
    return ends;
  }

  get frontAuthority(): string {
    return authorityOf(this.#front);
  }

  get backUrl(): string {
    return `http://${authorityOf(this.#back)}`;
  }

  /** The proxy, which listens now. */
  set proxy(authority: string) {
    this.#proxy = authority;
  }

  /** Waits for the verdicts that are still to come. */
  async close(): Promise<void> {
    await Promise.all(this.#pending);
    for (const server of [this.#front, this.#back]) {
      server.closeAllConnections();
      server.close();
    }
  }

  async #take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = this.#targets.get(incoming.socket) ?? incoming.headers[TARGET_HEADER];
    if (typeof target !== 'string') throw new Error('whom is it for?');
    // Longer than any JSON may be are the bytes of a file alone, of which there is nothing to say; Prism takes no more than 10 MB.
    const sent = headersFor(target, this.frontAuthority, incoming.rawHeaders);
    if (Number(incoming.headers['content-length'] ?? 0) > MAX_BATCH_BODY_BYTES) return passBy(target, incoming, sent, response);
    const { body, isWhole } = await bodyInTime(incoming);
    if (!isWhole) return passBy(target, incoming, sent, response, body);
    const exchange = new Exchange(target, incoming, sent, body);
    response.once('close', () => response.writableFinished || exchange.giveUp());
    const judging = this.#judge(exchange);
    const pending = judging.finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
    await Promise.race([exchange.asked, judging]);
    const { status, reason, rawHeaders, body: answered } = await exchange.answer();
    response.sendDate = false;
    response.writeHead(status, reason, forTest(rawHeaders)).end(answered);
  }

  /** What the proxy says of it, which need not be waited for: the answer comes as soon as the Worker has given it. */
  async #judge(exchange: Exchange): Promise<void> {
    const id = String(++this.#count);
    this.#exchanges.set(id, exchange);
    // Prism resets a connection now and then, on a busy machine. The Worker is not asked again, for its answer is kept.
    const ask = (): Promise<Judged['verdict']> => this.#verdict(id, exchange);
    const verdict = await ask().catch(ask).catch((error: unknown) => ({ status: 0, violations: undefined, text: String(error) }));
    this.#exchanges.delete(id);
    const passed = exchange.isAsked;
    const answer = await exchange.answer().catch(() => null);
    if (answer !== null) this.#judged({ method: exchange.method, path: exchange.path, status: answer.status, headers: answer.headers, passed, verdict });
  }

  async #verdict(id: string, { method, path, headers, body: asked }: Exchange): Promise<Judged['verdict']> {
    // Prism waits for ever for the end of a request whose JSON it could not read, which it has had; a path or a media type that it cannot read ends it.
    const isOfJson = JSON_TYPE.test(headers['content-type'] ?? '');
    // JSON is UTF-8 to the Worker, whatever is said of it, and it reads past a byte order mark, as readers may (RFC 8259, 8.1); Prism does neither.
    const body = isOfJson && asked.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? asked.subarray(BYTE_ORDER_MARK.length) : asked;
    if (isOfJson && !isJson(body)) return { status: 400, violations: undefined, text: 'the body is no JSON' };
    if (!isUri(path)) return { status: 400, violations: undefined, text: 'the path is no text' };
    if (!isOfJson && !MEDIA_TYPE.test(headers['content-type'] ?? 'a/b')) return { status: 400, violations: undefined, text: 'the media type is none' };
    const [hostname, port] = this.#proxy.split(':');
    const length = body.length > 0 ? { 'content-length': body.length } : {};
    const type = isOfJson ? { 'content-type': headers['content-type']?.split(';', 1)[0] } : {};
    const sent = request({ hostname, port, method, path, headers: { ...forProxy(headers), ...type, ...length, [EXCHANGE_HEADER]: id }, agent: false, maxHeaderSize: MAX_HEAD_BYTES, timeout: VERDICT_TIMEOUT_MS });
    sent.once('timeout', () => sent.destroy(new Error('no verdict in time')));
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, violations: response.headers['sl-violations']?.toString(), text: (await buffer(response)).toString() };
  }

  async #passOn(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = this.#exchanges.get(String(incoming.headers[EXCHANGE_HEADER]));
    if (exchange === undefined) throw new Error('nobody asked for it');
    const { status, headers, body } = await exchange.answer();
    const { location, ...rest } = forProxy(headers);
    // Prism would follow it, and use up what can be asked for once.
    const isRedirect = status >= 300 && status < 400;
    response.writeHead(status, { ...rest, ...(location !== undefined && !isRedirect && { location }) }).end(body);
  }
}

function isJson(body: Buffer): boolean {
  try {
    JSON.parse(body.toString());
    return true;
  } catch {
    return false;
  }
}

function isUri(path: string): boolean {
  try {
    decodeURIComponent(path.split('?', 1)[0] ?? '');
    return true;
  } catch {
    return false;
  }
}

function authorityOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Some tests announce more than they send. */
async function bodyInTime(incoming: IncomingMessage): Promise<{ body: Buffer; isWhole: boolean }> {
  const chunks: Buffer[] = [];
  const take = (chunk: Buffer): number => chunks.push(chunk);
  const settled = new AbortController();
  incoming.on('data', take);
  const isWhole = await Promise.race([once(incoming, 'end').then(() => true), sleep(BODY_TIMEOUT_MS, false, { signal: settled.signal })]);
  settled.abort();
  incoming.off('data', take);
  if (!isWhole) incoming.pause();
  return { body: Buffer.concat(chunks), isWhole };
}

/** Past the proxy, as it comes. */
function passBy(target: string, incoming: IncomingMessage, headers: string[], response: ServerResponse, first?: Buffer): void {
  const { hostname, port } = new URL(`http://${target}`);
  const sent = request({ hostname, port, method: incoming.method, path: incoming.url, headers, agent: false }, (answer) => {
    // The rest of a request that is refused for its length is read all the same, and the connection left to the test: what ends with something unread is reset, often before the answer was read.
    incoming.unpipe(sent);
    incoming.resume();
    response.writeHead(answer.statusCode ?? 0, { ...answer.headers, connection: 'keep-alive' });
    answer.pipe(response);
  });
  sent.on('error', () => response.headersSent || response.destroy());
  response.once('close', () => sent.destroy());
  if (first !== undefined && first.length > 0) sent.write(first);
  sent.flushHeaders();
  incoming.pipe(sent);
}

/** The rest of a connection that is to become a socket of another protocol. */
function passSocket(target: string, { method, url, rawHeaders }: IncomingMessage, inner: Socket, head: Buffer): void {
  const outer = connect(Number(new URL(`http://${target}`).port), '127.0.0.1');
  outer.write(`${[`${method} ${url} HTTP/1.1`, ...fieldsOf(rawHeaders).map((field) => field.join(': '))].join('\r\n')}\r\n\r\n`, 'latin1');
  outer.write(head);
  pipeline(inner.setNoDelay(true), outer.setNoDelay(true), inner, () => {});
}
