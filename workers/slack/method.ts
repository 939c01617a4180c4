import type { Context } from 'hono';
import { z } from 'zod';
import type { Database } from '../../db/client.ts';
import type { Scope } from '../../protocol/scopes.ts';
import { keepAnswerOf } from '../directory.ts';
import type { AppEnv } from '../env.ts';
import { hasScope, type Identity } from '../identity/identity.ts';
import type { PolicyName } from '../middleware/limit-rate.ts';
import { withPostgres } from '../postgres.ts';
import type { Execute } from '../execute-command.ts';
import type { Arguments } from './arguments.ts';
import { SlackError, type Words } from './errors.ts';

/** That it was done is all that is kept: an answer may hold what people wrote. */
const DONE = { body: z.null(), statuses: [200] as const };

/** A request of a method, by an authenticated caller. */
export class Call {
  readonly c: Context<AppEnv>;
  readonly identity: Identity;
  readonly execute: Execute;

  constructor(c: Context<AppEnv>, execute: Execute) {
    this.c = c;
    this.identity = c.get('identity');
    this.execute = execute;
  }

  get credentialId(): string {
    return this.identity.actor.credential_id;
  }

  /** What a method needs in some cases alone. */
  demand(scope: Scope): void {
    if (!hasScope(this.identity, scope)) throw new SlackError('missing_scope', { needed: scope, provided: [...this.identity.scopes].join(',') });
  }

  /** What a room or an inbox is to do: repeated under its Idempotency-Key, the request does nothing more. */
  async once(effect: () => Promise<unknown>): Promise<void> {
    await keepAnswerOf(this.c, DONE, async () => {
      await effect();
      return { status: 200, body: null };
    });
  }

  read<T>(work: (db: Database, credentialId: string) => Promise<T>): Promise<T> {
    return withPostgres(this.c, (db) => work(db, this.credentialId));
  }
}

/** What a method answers, beside `ok`. */
export interface Answer {
  readonly [field: string]: unknown;
  readonly warning?: string;
  readonly response_metadata?: { readonly next_cursor: string };
}

export interface Method {
  /** The scope it needs, if any, and the rate limit it counts for: those of the routes of `/v1` that do the same. */
  readonly scope: Scope | null;
  readonly limit: PolicyName;
  readonly words: Words;
  /** Its arguments; others are passed over, with a warning. */
  readonly names: ReadonlySet<string>;
  invoke(call: Call, args: Arguments): Promise<Answer>;
}

interface Definition<S extends z.ZodObject> {
  readonly scope: Scope | null;
  readonly limit: PolicyName;
  readonly words?: Words;
  readonly args: S;
  run(call: Call, args: z.infer<S>): Promise<Answer>;
}

export function method<S extends z.ZodObject>({ scope, limit, words = {}, args: schema, run }: Definition<S>): Method {
  return {
    scope,
    limit,
    words,
    names: new Set(Object.keys(schema.shape)),
    invoke(call, args) {
      const parsed = schema.safeParse(args);
      if (parsed.success) return run(call, parsed.data);
      const messages = parsed.error.issues.slice(0, 20).map(({ path, message }) => `[ERROR] ${message} [json-pointer:/${path.join('/')}]`);
      throw new SlackError('invalid_arguments', { response_metadata: { messages } });
    },
  };
}

/** `next_cursor` as Slack has it: empty behind the last page. */
export const nextCursor = (cursor: string | null) => ({ response_metadata: { next_cursor: cursor ?? '' } });
