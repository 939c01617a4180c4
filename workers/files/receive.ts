import { ProblemError } from '../problems.ts';

/** What came in, by its own count. `sha256` in hexadecimal. */
export interface Received {
  readonly size: number;
  readonly sha256: string;
}

/** A body as it comes in: read from the start once, chunk by chunk, never more than `size` bytes in all, and none after `signal`. */
export class Incoming {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #size: number;
  readonly #late: Promise<never>;
  #held: Uint8Array[] = [];
  #taken = 0;

  constructor(body: ReadableStream<Uint8Array>, size: number, signal: AbortSignal) {
    this.#reader = body.getReader();
    this.#size = size;
    this.#late = new Promise((_, reject) => signal.addEventListener('abort', () => reject(new ProblemError({ code: 'unreadable_body', detail: 'the body took too long' }))));
    this.#late.catch(() => {});
  }

  /** The first `bytes` of the content, or all of it where there are fewer; they are read again by `chunks`. */
  async peek(bytes: number): Promise<Uint8Array> {
    let held = 0;
    while (held < bytes) {
      const chunk = await this.#next();
      if (chunk === null) break;
      this.#held.push(chunk);
      held += chunk.byteLength;
    }
    return concat(this.#held, Math.min(held, bytes));
  }

  /** All of the content. Throws `body_too_large` for more than was declared, `unreadable_body` for less. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    yield* this.#held.splice(0);
    for (let chunk = await this.#next(); chunk !== null; chunk = await this.#next()) yield chunk;
    if (this.#taken !== this.#size) throw brokenOff();
  }

  /** Reads no more. */
  cancel(): Promise<void> {
    return this.#reader.cancel().catch(() => {});
  }

  async #next(): Promise<Uint8Array | null> {
    const { done, value } = await Promise.race([this.#late, this.#reader.read()]).catch((error: unknown) => {
      throw error instanceof ProblemError ? error : brokenOff();
    });
    if (done) return null;
    this.#taken += value.byteLength;
    if (this.#taken > this.#size) throw new ProblemError({ code: 'body_too_large', detail: `it was declared to have ${this.#size} bytes` });
    return value;
  }
}

const brokenOff = (): ProblemError => new ProblemError({ code: 'unreadable_body', detail: 'the body broke off' });

function concat(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    const part = chunk.subarray(0, length - at);
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

/** Passes content on to `store` while it counts and hashes it. What `store` took counts for nothing where this rejects. */
export async function receive(incoming: Incoming, size: number, store: (content: ReadableStream) => Promise<unknown>): Promise<Received> {
  const { readable, writable } = new FixedLengthStream(size);
  const digest = newDigest();
  const pumped = pump(incoming, [writable.getWriter(), digest.getWriter()]);
  // Where the body fails, the store fails by it: the body's fault is the one to tell of.
  const [passed, stored] = await Promise.allSettled([pumped, store(readable)]);
  if (passed.status === 'rejected' && passed.reason instanceof ProblemError) throw passed.reason;
  if (stored.status === 'rejected') throw stored.reason;
  if (passed.status === 'rejected') throw passed.reason;
  return { size, sha256: hex(await digest.digest) };
}

/** Only counts and hashes. */
export async function hashOnly(incoming: Incoming, size: number): Promise<Received> {
  const digest = newDigest();
  await pump(incoming, [digest.getWriter()]);
  return { size, sha256: hex(await digest.digest) };
}

/** Its promise rejects where the body does, which is told already. */
function newDigest(): DigestStream {
  const digest: DigestStream = new crypto.DigestStream('SHA-256');
  digest.digest.catch(() => {});
  return digest;
}

async function pump(incoming: Incoming, writers: readonly WritableStreamDefaultWriter<ArrayBuffer | ArrayBufferView>[]): Promise<void> {
  try {
    for await (const chunk of incoming.chunks()) await Promise.all(writers.map((writer) => writer.write(chunk)));
    await Promise.all(writers.map((writer) => writer.close()));
  } catch (error) {
    await Promise.all(writers.map((writer) => writer.abort(error).catch(() => {})));
    throw error;
  }
}

const hex = (bytes: ArrayBuffer): string => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
