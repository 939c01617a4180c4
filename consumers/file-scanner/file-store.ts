import { InfrastructureError } from '../runtime/classify.ts';
import type { WorkerAddress } from '../worker-calls.ts';
import { ScanUnfinished } from './failures.ts';
import type { MadeThumbnail } from './thumbnail-output.ts';

/** Longest the Worker may take to answer, and to bring the next bytes, in milliseconds. */
const ANSWER_MS = 15_000;
const BYTES_MS = 30_000;

/** Where the content of files is, as the fleet reaches it. */
export interface FileStore {
  /**
   * The content of a file, as it comes; to be read once. Whoever stops reading aborts `signal`.
   * @throws InfrastructureError where the store cannot be had, ScanUnfinished where it says that there is no such content.
   */
  read(fileId: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Stores a thumbnail, once or again. @throws as `read`. */
  putThumbnail(fileId: string, thumbnail: MadeThumbnail, signal: AbortSignal): Promise<void>;
}

/** R2, by routes of the Worker. */
export function workerFiles({ url, token }: WorkerAddress): FileStore {
  const headers = { Authorization: `Bearer ${token}` };
  const call = async (path: string, signal: AbortSignal, request: RequestInit = {}): Promise<Response> => {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), ANSWER_MS);
    try {
      const response = await fetch(new URL(path, url), { ...request, headers: { ...headers, ...request.headers }, signal: AbortSignal.any([signal, patience.signal]) });
      if (!response.ok) throw await refusal(response);
      return response;
    } catch (error) {
      throw ownFailure(error, signal);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    async *read(fileId, signal) {
      const { body } = await call(`/internal/files/${fileId}/content`, signal);
      if (body === null) throw new ScanUnfinished('the content is empty');
      yield* timely(body, signal);
    },
    async putThumbnail(fileId, { size, bytes }, signal) {
      const request = { method: 'PUT', headers: { 'Content-Type': 'image/webp' }, body: new Uint8Array(bytes) };
      const response = await call(`/internal/files/${fileId}/thumbnails/${size}`, signal, request);
      await response.body?.cancel();
    },
  };
}

async function refusal(response: Response): Promise<Error> {
  await response.body?.cancel();
  // A wrong secret is answered in the same way, so it says too little against the file.
  if (response.status === 404) return new ScanUnfinished('the Worker has no such content');
  return new InfrastructureError(`the Worker answered ${response.status}`);
}

function ownFailure(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  return error instanceof ScanUnfinished || error instanceof InfrastructureError ? error : new InfrastructureError('the Worker cannot be reached', { cause: error });
}

async function* timely(body: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await nextOf(reader, signal);
      if (done) return;
      yield value;
    }
  } finally {
    // A stream that broke cannot be cancelled any more, and need not be.
    await reader.cancel().catch(() => {});
  }
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

async function nextOf(reader: Reader, signal: AbortSignal): Promise<Awaited<ReturnType<Reader['read']>>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new InfrastructureError('the Worker brings no bytes')), BYTES_MS);
  });
  try {
    return await Promise.race([reader.read(), late]);
  } catch (error) {
    throw ownFailure(error, signal);
  } finally {
    clearTimeout(timer);
  }
}
