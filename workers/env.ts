import type { OpenAPIHono } from '@hono/zod-openapi';
import type { RoomApi } from '../durable-objects/channel-room/room-api.ts';
import type { NodeApi } from '../durable-objects/fanout-node/node-api.ts';
import type { MetricsApi } from '../durable-objects/metrics-hub/metrics-api.ts';
import type { InboxApi } from '../durable-objects/user-inbox/inbox-api.ts';
import type { Identity } from './identity/identity.ts';

/** A namespace of Durable Objects as Workers use it: each object is found by its name. */
interface Namespace<Api> {
  getByName(name: string): Api & Pick<Fetcher, 'fetch'>;
}

/** The bindings, variables and secrets of `wrangler.toml`; the optional ones may be missing there. */
export interface Env {
  /** By channel id. */
  readonly ROOMS: Namespace<RoomApi>;
  /** By channel id and number (`nodeName`). */
  readonly NODES: Namespace<NodeApi>;
  /** By user id. */
  readonly INBOXES: Namespace<InboxApi>;
  /** One, named `hub`. */
  readonly METRICS_HUB: Namespace<MetricsApi>;
  readonly POSTGRES: Pick<Hyperdrive, 'connectionString'>;
  /** A streaming replica of the same. Without it the primary answers every read. */
  readonly POSTGRES_REPLICA?: Pick<Hyperdrive, 'connectionString'>;
  /** Contents of files and their thumbnails. */
  readonly FILES: R2Bucket;
  readonly LIMIT_SEND: RateLimit;
  readonly LIMIT_READ: RateLimit;
  readonly ENVIRONMENT: string;
  /** Comma-separated. */
  readonly ALLOWED_ORIGINS: string;
  /** Decimal numbers of bytes: of one file, of all of a user, of all there are. */
  readonly MAX_FILE_BYTES: string;
  readonly MAX_USER_FILE_BYTES: string;
  readonly MAX_WORKSPACE_FILE_BYTES: string;
  readonly OIDC_ISSUER: string;
  readonly OIDC_CLIENT_ID: string;
  /** Whom access tokens of the provider must be for to be taken here; empty: none is. Never the client's own id. */
  readonly OIDC_AUDIENCE: string;
  /** Who becomes the administrator at their sign-in, while there is none: the subject at `OIDC_ISSUER`. Empty: nobody. */
  readonly FIRST_ADMIN_SUBJECT: string;
  /** `invited`: who is new has no access before they accept an invitation. */
  readonly SIGN_IN: string;
  /** Secret. Without one Colink is a public client, protected by PKCE alone. */
  readonly OIDC_CLIENT_SECRET?: string;
  /** Secret. Without one `/metrics` is open in development and closed elsewhere. */
  readonly METRICS_TOKEN?: string;
  /** Secret of the consumer fleet. Without one nothing can be told to inboxes from there. */
  readonly FLEET_TOKEN?: string;
  /** The public key of Web Push (VAPID), 65 bytes in base64url; the fleet has the private one. Without it nobody subscribes to pushes. */
  readonly VAPID_PUBLIC_KEY?: string;
  /** Without both there is no second level of the profile cache. */
  readonly UPSTASH_REDIS_REST_URL?: string;
  readonly UPSTASH_REDIS_REST_TOKEN?: string;
}

/**
 * What middleware gives to the answer of a request, as plain data until there is one. Each header that was set on the platform's `Headers`, copied
 * and set again cost a send 4 to 5 µs, and it has eleven (workerd, 2026-11).
 */
export interface AnswerDraft {
  readonly headers: Record<string, string>;
  /** By `performance.now()`. */
  readonly startedAt: number;
  /** The answer has them already. */
  complete: boolean;
}

interface Variables {
  /** Set by `measure`, which is outermost. */
  answer: AnswerDraft;
  requestId: string;
  /** Set by `authenticate`. */
  identity: Identity;
  /** The body, once `readText` has read it. */
  bodyText: string | undefined;
}

export interface AppEnv {
  Bindings: Env;
  Variables: Variables;
}
export type App = OpenAPIHono<AppEnv>;
