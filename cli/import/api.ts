import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { channelSchema, type Channel } from '../../protocol/api.ts';
import { problemSchema, type ProblemDocument } from '../../protocol/errors.ts';
import { commandResultSchema, type CommandResult } from '../../protocol/frames.ts';
import type { ImportedMessage } from './batches.ts';

export interface ImportApi {
  /**
   * The channel of this name, made if there is none, public where nothing else is wished for; the caller is a member afterwards. Throws where there is one of another kind than
   * is wished for: what is private is not posted where everybody reads it.
   */
  joinChannel(name: string, wish?: ChannelWish): Promise<Channel>;
  /** All or none, in order. Returns when the room has them durably. */
  postBatch(channelId: string, messages: readonly ImportedMessage[]): Promise<readonly CommandResult[]>;
}

interface ChannelWish {
  readonly kind: 'public' | 'private';
  readonly topic: string;
}

export interface ApiOptions {
  readonly url: string;
  readonly token: string;
  /** Told of each wait: why, and for how many milliseconds. */
  readonly onWait: (reason: string, milliseconds: number) => void;
  /** Ends waits; a request under way is finished. */
  readonly signal: AbortSignal;
  readonly random?: () => number;
}

/** The API refused a request that would be refused again. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly problem: ProblemDocument | null;
  constructor(status: number, problem: ProblemDocument | null) {
    super(problem === null ? `the API answered ${status}` : describeProblem(problem));
    this.problem = problem;
  }
}

function describeProblem(problem: ProblemDocument): string {
  const fields = (problem.errors ?? []).map(({ pointer, detail }) => `${pointer} ${detail}`);
  return [`${problem.status} ${problem.code}: ${problem.title}`, problem.detail, ...fields].filter((part) => part !== undefined).join('; ');
}

const REQUEST_TIMEOUT_MS = 30_000;
/** How long one request is tried again before the import gives up. */
const GIVE_UP_MS = 10 * 60_000;
const BACKOFF_MS = { first: 250, most: 15_000 };

/**
 * Milliseconds before attempt `attempt` (1 is the first repetition): what the server asks for and up to a quarter more, or full jitter
 * over an exponential where it asks for nothing.
 */
export function retryDelay(attempt: number, retryAfterSeconds: number | null, random: () => number): number {
  if (retryAfterSeconds !== null) return retryAfterSeconds * 1_000 * (1 + random() / 4);
  return Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** (attempt - 1)) * random();
}

/** Seconds of a `Retry-After` header; null for none, and for the date form, which Colink does not send. */
export const retryAfterSeconds = (header: string | null): number | null => (header !== null && /^\d{1,6}$/.test(header) ? Number(header) : null);

type Attempt = { readonly response: Response; readonly body: unknown } | { readonly again: string; readonly retryAfter: number | null };

export function createImportApi(options: ApiOptions): ImportApi {
  const random = options.random ?? Math.random;

  async function attempt(method: string, path: string, body: unknown): Promise<Attempt> {
    try {
      const response = await fetch(new URL(path, options.url), {
        method,
        headers: { authorization: `Bearer ${options.token}`, accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      if (response.status === 429 || response.status >= 500) {
        await response.body?.cancel();
        return { again: `the API answers ${response.status}`, retryAfter: retryAfterSeconds(response.headers.get('retry-after')) };
      }
      const text = await response.text();
      return { response, body: parseJson(text) };
    } catch (error) {
      return { again: `the API is not reachable (${reasonOf(error)})`, retryAfter: null };
    }
  }

  /** Repeats until it has an answer that stands. Every request of this module may be repeated without harm. */
  async function request(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    const deadline = performance.now() + GIVE_UP_MS;
    for (let repetition = 1; ; repetition++) {
      const result = await attempt(method, path, body);
      if ('response' in result) return { status: result.response.status, body: result.body };
      const delay = retryDelay(repetition, result.retryAfter, random);
      if (performance.now() + delay > deadline) throw new Error(`${result.again}, for ${GIVE_UP_MS / 60_000} minutes now`);
      options.onWait(result.again, delay);
      await sleep(delay, undefined, { signal: options.signal });
    }
  }

  async function expectOk<T>(schema: z.ZodType<T>, method: string, path: string, body?: unknown): Promise<T> {
    const answer = await request(method, path, body);
    if (answer.status < 300) return schema.parse(answer.body);
    throw new RefusedError(answer.status, problemSchema.safeParse(answer.body).data ?? null);
  }

  async function findChannel(name: string): Promise<Channel | undefined> {
    let cursor: string | null = null;
    do {
      const query = new URLSearchParams({ limit: '100', ...(cursor !== null && { cursor }) });
      const page: z.infer<typeof channelListSchema> = await expectOk(channelListSchema, 'GET', `/v1/channels?${query}`);
      const found = page.data.find((channel) => channel.name.toLowerCase() === name.toLowerCase());
      if (found) return found;
      cursor = page.next_cursor;
    } while (cursor !== null);
    return undefined;
  }

  async function findOrCreateChannel(name: string, wish: ChannelWish): Promise<Channel> {
    const found = await findChannel(name);
    if (found) return found;
    try {
      return await expectOk(channelSchema, 'POST', '/v1/channels', { name, ...wish });
    } catch (error) {
      const raced = error instanceof RefusedError && error.problem?.code === 'conflict' ? await findChannel(name) : undefined;
      if (raced) return raced;
      throw error;
    }
  }

  return {
    async joinChannel(name, wish) {
      const channel = await findOrCreateChannel(name, wish ?? { kind: 'public', topic: '' });
      if (wish !== undefined && channel.kind !== wish.kind) throw new Error(`there is a ${channel.kind} channel ${name}, and this is ${wish.kind}: rename one of them`);
      if (channel.my_role === null) await expectOk(z.unknown(), 'PUT', `/v1/channels/${channel.id}/members/me`);
      return channel;
    },
    async postBatch(channelId, messages) {
      const answer = await expectOk(batchAnswerSchema, 'POST', `/v1/channels/${channelId}/message-batches`, { messages });
      return answer.data;
    },
  };
}

const channelListSchema = z.object({ data: z.array(channelSchema), next_cursor: z.string().nullable() });
const batchAnswerSchema = z.object({ data: z.array(commandResultSchema) });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
