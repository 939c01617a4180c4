import { connect, type Socket } from 'node:net';

/** As much of Redis's protocol (RESP2) as publishing and subscribing take. */
export interface RedisPubSub {
  publish(channel: string, message: string): void;
  /** Rejects when either connection ends. */
  readonly ended: Promise<never>;
}

/** Tells every message that is published on `channel`. Two connections, since one that subscribes may not publish. */
export async function openRedis(port: number, channel: string, received: (message: string) => void): Promise<RedisPubSub> {
  const [publisher, subscriber] = await Promise.all([openConnection(port), openConnection(port)]);
  const replies = new RedisReplies((reply) => {
    if (reply[0] === 'message') received(reply[2] ?? '');
  });
  subscriber.on('data', (bytes: Buffer) => replies.push(bytes));
  publisher.resume();
  subscriber.write(command('SUBSCRIBE', channel));
  return { publish: (to, message) => void publisher.write(command('PUBLISH', to, message)), ended: Promise.race([endOf(publisher), endOf(subscriber)]) };
}

function openConnection(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('error', reject).once('connect', () => resolve(socket));
  });
}

const endOf = (socket: Socket): Promise<never> => new Promise((_, reject) => socket.once('close', () => reject(new Error('Redis has hung up'))));

export const command = (...words: string[]): string => `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

const END = Buffer.from('\r\n');

/** Reads replies that are arrays of strings and numbers, as a subscription's are. */
export class RedisReplies {
  readonly #take: (reply: readonly string[]) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(take: (reply: readonly string[]) => void) {
    this.#take = take;
  }

  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (let found = readArray(this.#rest); found !== null; found = readArray(this.#rest)) {
      this.#rest = this.#rest.subarray(found.end);
      this.#take(found.words);
    }
  }
}

function readArray(bytes: Buffer): { readonly words: readonly string[]; readonly end: number } | null {
  const words: string[] = [];
  let line = readLine(bytes, 0);
  if (line === null) return null;
  const count = Number(line.text.slice(1));
  let end = line.end;
  while (words.length < count) {
    line = readLine(bytes, end);
    if (line === null) return null;
    const length = line.text.startsWith('$') ? Number(line.text.slice(1)) : null;
    if (length !== null && bytes.length < line.end + length + 2) return null;
    words.push(length === null ? line.text.slice(1) : bytes.toString('utf8', line.end, line.end + length));
    end = line.end + (length === null ? 0 : length + 2);
  }
  return { words, end };
}

function readLine(bytes: Buffer, at: number): { readonly text: string; readonly end: number } | null {
  const end = bytes.indexOf(END, at);
  return end === -1 ? null : { text: bytes.toString('latin1', at, end), end: end + 2 };
}
