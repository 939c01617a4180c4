import { setImmediate as turn } from 'node:timers/promises';
import { INSTREAM, parseScanReply, PING, chunkHeader, STREAM_END } from './clamd-protocol.ts';
import { ClamdSession, type ClamdAddress } from './clamd-session.ts';
import { ClamdAway, ClamdFailed, ScanUnfinished, Unscannable } from './failures.ts';

export type Verdict = { readonly status: 'clean' } | { readonly status: 'infected'; readonly signature: string };

/** Longest waits, in milliseconds. */
export interface ClamdPatience {
  readonly connectMs: number;
  /** For clamd to take a chunk. */
  readonly chunkMs: number;
  /** For its answer, from the last chunk on. It gives up by itself after two minutes (`MaxScanTime`). */
  readonly answerMs: number;
}

export const CLAMD_PATIENCE: ClamdPatience = { connectMs: 5_000, chunkMs: 30_000, answerMs: 150_000 };

export interface Clamd {
  /** @throws ClamdAway where it does not answer as clamd does. */
  ping(signal: AbortSignal): Promise<void>;
  /**
   * Streams `content` to clamd, as fast as it takes it, and returns what it says. Stops reading where clamd answers before the end.
   * @throws ClamdAway, ClamdFailed, ScanUnfinished, Unscannable; whatever `content` throws; and the reason of `signal`.
   */
  scan(content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Verdict>;
}

/** A connection a command: clamd takes them in threads of its own, and a broken one breaks nothing else. */
export function clamdAt(address: ClamdAddress, patience: ClamdPatience = CLAMD_PATIENCE): Clamd {
  const inSession = async <T>(signal: AbortSignal, work: (session: ClamdSession) => Promise<T>): Promise<T> => {
    const session = await ClamdSession.open(address, patience.connectMs, signal);
    return work(session).finally(() => session.close());
  };
  const ping = (signal: AbortSignal): Promise<void> => inSession(signal, (session) => pingBy(session, patience));
  /** Where clamd answers a ping meanwhile, it was the connection alone: as it is when clamd closes on what is too large, and its word is lost. */
  const broken = async (cause: unknown, signal: AbortSignal): Promise<Error> => {
    const lives = await ping(signal).then(() => true, () => false);
    return lives ? new ScanUnfinished('clamd broke off with it', { cause }) : new ClamdFailed('clamd ended with it', { cause });
  };
  return {
    ping,
    scan: (content, signal) =>
      inSession(signal, async (session) => {
        const text = await askFor(session, content, patience).catch(async (error: unknown) => {
          throw error instanceof ClamdAway ? await broken(error, signal) : error;
        });
        return verdictOf(text);
      }),
  };
}

async function pingBy(session: ClamdSession, { connectMs }: ClamdPatience): Promise<void> {
  await session.send([PING], connectMs);
  const reply = await session.reply(connectMs, () => new ClamdAway('clamd does not answer'));
  if (reply !== 'PONG') throw new ClamdAway('what answers is no clamd');
}

async function askFor(session: ClamdSession, content: AsyncIterable<Uint8Array>, patience: ClamdPatience): Promise<string> {
  const sent = sendContent(session, content, patience.chunkMs);
  // What fails after the answer is of no interest any more.
  sent.catch(() => {});
  await Promise.race([session.answered(), sent]);
  return session.reply(patience.answerMs, () => new ClamdFailed('clamd came to no end with it'));
}

/** A connection that breaks ends it without a word: the answer, or its want, says more. */
async function sendContent(session: ClamdSession, content: AsyncIterable<Uint8Array>, chunkMs: number): Promise<void> {
  await session.send([INSTREAM], chunkMs);
  for await (const chunk of content) {
    if (chunk.byteLength === 0) continue;
    // Node gives up a socket at the first write that fails, with all it could still read: an answer that is there is to be read before.
    await turn();
    if (session.isOver) return;
    await session.send([chunkHeader(chunk.byteLength), chunk], chunkMs);
  }
  await session.send([STREAM_END], chunkMs);
}

function verdictOf(text: string): Verdict {
  const reply = parseScanReply(text);
  switch (reply.kind) {
    case 'clean':
      return { status: 'clean' };
    case 'infected':
      return { status: 'infected', signature: reply.signature };
    case 'overtaxed':
      throw new ClamdAway(`clamd: ${reply.reason}`);
    case 'nonsense':
      throw new ClamdFailed(`clamd: ${reply.reason}`);
    default:
      throw new Unscannable(`clamd: ${reply.reason}`);
  }
}
