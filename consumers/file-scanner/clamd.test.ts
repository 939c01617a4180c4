import { mkdtemp, readFile, rm, chmod } from 'node:fs/promises';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import type { Child } from '../../dev/child.ts';
import { EICAR, EICAR_SIGNATURE, startClamd } from '../../dev/clamd.ts';
import { detect, isPresent } from '../../dev/components.ts';
import { freePort } from '../../dev/ports.ts';
import { Link } from '../../tests/support/link.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { CLAMD_PATIENCE, type Clamd, clamdAt } from './clamd.ts';
import { ClamdAway, ClamdFailed, ScanUnfinished, Unscannable } from './failures.ts';

const never = new AbortController().signal;
const MIB = 1024 * 1024;
const found = detect().clamd;

async function* chunks(...bytes: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const piece of bytes) yield typeof piece === 'string' ? Buffer.from(piece) : piece;
}

/** So many pieces of a mebibyte; counts those that were asked for. */
function large(pieces: number): { content: AsyncGenerator<Uint8Array>; taken: () => number } {
  let taken = 0;
  async function* content(): AsyncGenerator<Uint8Array> {
    for (; taken < pieces; taken++) yield Buffer.alloc(MIB, 0x41);
  }
  return { content: content(), taken: () => taken };
}

describe.skipIf(!isPresent(found))('a real clamd', { timeout: 60_000 }, () => {
  let folder: string;
  let child: Child;
  let port: number;
  let clamd: Clamd;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colink-clamd-'));
    await chmod(folder, 0o755);
    port = await freePort();
    child = await start();
    clamd = clamdAt({ host: '127.0.0.1', port });
  }, 60_000);
  afterAll(async () => {
    await child.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const start = (): Promise<Child> =>
    startClamd({ command: isPresent(found) ? found.path : '', dataDir: join(folder, 'clamd'), port, logFile: join(folder, 'clamd.log'), maxBytes: 4 * MIB });

  it('is one, and runs as nobody where this is root', async () => {
    await clamd.ping(never);
    const [, uid] = /^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${child.pid}/status`, 'utf8')) ?? [];
    expect(Number(uid)).not.toBe(0);
  });

  it('finds EICAR, whole, in pieces and with empty ones, and in nothing else', async () => {
    const infected = { status: 'infected', signature: EICAR_SIGNATURE };
    expect(await clamd.scan(chunks(EICAR), never)).toEqual(infected);
    expect(await clamd.scan(chunks(...EICAR), never)).toEqual(infected);
    expect(await clamd.scan(chunks('', EICAR.slice(0, 10), '', EICAR.slice(10), ''), never)).toEqual(infected);
    expect(await clamd.scan(chunks('hello'), never)).toEqual({ status: 'clean' });
    expect(await clamd.scan(chunks(), never)).toEqual({ status: 'clean' });
    expect(await clamd.scan(chunks(new Uint8Array(await readFile(import.meta.filename))), never)).toEqual({ status: 'clean' });
  });

  it('refuses what is larger than it takes, and the rest is not read (G8)', async () => {
    const { content, taken } = large(400);
    const refusal = await clamd.scan(content, never).catch((error: unknown) => error);
    // Its word gets lost now and then, when it closes on what is still on its way.
    expect(refusal instanceof Unscannable || (refusal instanceof ScanUnfinished && !(refusal instanceof ClamdFailed))).toBe(true);
    expect(taken()).toBeLessThan(50);
    expect(await clamd.scan(large(3).content, never)).toEqual({ status: 'clean' });
  });

  it('scans fifty at a time, each by itself', async () => {
    const bad = new Set([3, 17, 44]);
    const verdicts = await Promise.all(Array.from({ length: 50 }, (_, n) => clamd.scan(bad.has(n) ? chunks(EICAR) : chunks(`file ${n}`), never)));
    expect(verdicts.flatMap(({ status }, n) => (status === 'infected' ? [n] : []))).toEqual([...bad]);
  });

  it('leaves what fails in the content to whoever asked, and goes on', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a');
      throw new Error('the store broke');
    }
    await expect(clamd.scan(broken(), never)).rejects.toThrow('the store broke');
    const stop = new AbortController();
    const scan = clamd.scan(endless(), stop.signal);
    setTimeout(() => stop.abort(new Error('over')), 100);
    await expect(scan).rejects.toThrow('over');
    expect(await clamd.scan(chunks('hello'), never)).toEqual({ status: 'clean' });
  });

  it('has failed where it is killed in the middle of a stream, is away then, and there when it is back', async () => {
    async function* killing(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(100_000);
      process.kill(child.pid, 'SIGKILL');
      await child.exited;
      for (let n = 0; n < 100; n++) yield Buffer.alloc(100_000);
    }
    await expect(clamd.scan(killing(), never)).rejects.toThrow(ClamdFailed);
    await expect(clamd.scan(chunks('hello'), never)).rejects.toThrow(ClamdAway);
    await expect(clamd.ping(never)).rejects.toThrow(ClamdAway);
    child = await start();
    expect(await clamd.scan(chunks('hello'), never)).toEqual({ status: 'clean' });
  });

  const seed = seedOfRun();
  it(`gives no wrong verdict over a link that is late, and reset at any place (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const link = await Link.start({ port, random });
    async function* cut(text: string): AsyncGenerator<Uint8Array> {
      const at = Math.floor(random() * text.length);
      for (const piece of [text.slice(0, at), text.slice(at)]) {
        await sleep(random() * 4);
        yield Buffer.from(piece);
      }
    }
    const through = clamdAt({ host: '127.0.0.1', port: link.port });
    let verdicts = 0;
    // What clamd has said goes with its connection, which it ends at once: only the way to it is bad.
    link.judge = async ({ from }) => {
      if (from === 'server') return random() < 0.1 ? 'reset' : 'pass';
      await sleep(random() * 3);
      return random() < 0.1 ? 'reset' : 'pass';
    };
    for (let n = 0; n < 60; n++) {
      const isBad = random() < 0.5;
      const verdict = await through.scan(isBad ? cut(EICAR) : cut('hello'), never).catch((error: unknown) => error);
      const isNone = verdict instanceof ClamdAway || verdict instanceof ScanUnfinished;
      expect(isNone ? 'none' : verdict).toEqual(isNone ? 'none' : isBad ? { status: 'infected', signature: EICAR_SIGNATURE } : { status: 'clean' });
      if (!isNone) verdicts += 1;
    }
    await link.close();
    expect(verdicts).toBeGreaterThan(5);
    expect(verdicts).toBeLessThan(60);
  });
});

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) {
    await sleep(5);
    yield Buffer.alloc(10);
  }
}

describe('what is no clamd, or none that does its work', () => {
  let server: Server;
  const sockets = new Set<Socket>();
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });

  async function serving(behave: (socket: Socket) => void, patience = CLAMD_PATIENCE): Promise<Clamd> {
    server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      behave(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return clamdAt({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }, patience);
  }

  it.each([
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['words of its own', 'stream: MAYBE\0'],
    ['another command', 'PONG\0'],
    ['nothing at all', ''],
    ['half a verdict', 'stream: OK'],
    ['without end', 'stream: '.repeat(10_000)],
  ])('has failed where it answers %s', async (_, answer) => {
    const clamd = await serving((socket) => socket.once('data', () => socket.end(answer)));
    await expect(clamd.scan(chunks('hello'), never)).rejects.toThrow(ClamdFailed);
  });

  it('is no clamd where it answers a ping with anything but a pong', async () => {
    const clamd = await serving((socket) => socket.once('data', () => socket.end('HELLO\0')));
    await expect(clamd.ping(never)).rejects.toThrow(ClamdAway);
  });

  it('has failed where it takes all and says nothing: that is told from one that is away', async () => {
    const clamd = await serving((socket) => socket.resume(), { ...CLAMD_PATIENCE, answerMs: 100 });
    await expect(clamd.scan(chunks('hello'), never)).rejects.toThrow(ClamdFailed);
  });

  it('has failed where it takes no bytes: no more is read than its socket holds (G8)', async () => {
    const clamd = await serving((socket) => socket.pause(), { ...CLAMD_PATIENCE, chunkMs: 300, connectMs: 300 });
    const { content, taken } = large(500);
    await expect(clamd.scan(content, never)).rejects.toThrow(ClamdFailed);
    expect(taken()).toBeLessThan(30);
  });

  it('is waited for where it is slow and goes on', async () => {
    const clamd = await serving((socket) => {
      let bytes = 0;
      socket.on('data', (piece) => {
        bytes += piece.length;
        socket.pause();
        setTimeout(() => socket.resume(), 5);
        if (piece.subarray(-4).equals(Buffer.alloc(4))) socket.end(bytes === 10 + 4 * (4 + MIB) + 4 ? 'stream: OK\0' : 'stream: MISCOUNTED\0');
      });
    }, { ...CLAMD_PATIENCE, chunkMs: 2_000 });
    expect(await clamd.scan(large(4).content, never)).toEqual({ status: 'clean' });
  });

  it('has broken off with this one alone, where it resets the scan and answers a ping', async () => {
    const clamd = await serving((socket) => socket.once('data', (piece: Buffer) => (piece.includes('PING') ? socket.end('PONG\0') : socket.resetAndDestroy())));
    const refusal = await clamd.scan(large(5).content, never).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ name: 'ScanUnfinished', message: 'clamd broke off with it' });
  });

  it('is away where nobody listens', async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    await expect(clamdAt({ host: '127.0.0.1', port: await freePort() }).ping(never)).rejects.toThrow(ClamdAway);
  });
});
