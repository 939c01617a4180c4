import webPush from 'web-push';
import type { ClaimedSubscription } from '../../db/queries/push-sending.ts';
import type { PushPayload } from '../../protocol/push.ts';
import { type OutboundOptions, outboundFailure, requestPublic } from '../outbound/request.ts';
import { parseRetryAfter } from '../webhook-sender/schedule.ts';
import { HostBreakers } from './host-breakers.ts';
import type { NotificationSender, Verdict } from './port.ts';

/** By which push services know this server (RFC 8292). `subject`: where its operator is reached, `mailto:` or `https:`; keys in base64url. */
export interface VapidKeys {
  readonly subject: string;
  readonly publicKey: string;
  readonly privateKey: string;
}

export interface Push {
  readonly to: Pick<ClaimedSubscription, 'endpoint' | 'host' | 'p256dh' | 'auth'>;
  readonly payload: PushPayload;
  /** Seconds for which the push service is to keep it for a browser that is away. */
  readonly ttlSeconds: number;
}

export interface WebPushOptions extends Omit<OutboundOptions, 'plain'> {
  readonly vapid: VapidKeys;
  /** Longest attempt, to the end of the answer's head, in milliseconds. */
  readonly timeoutMs: number;
  readonly now: () => number;
}

/** What a push service may ask for by `Retry-After`, at most. Milliseconds. */
const MOST_RETRY_AFTER = 3_600_000;

/** Sends by Web Push: encrypted for the browser (RFC 8291), to public addresses alone. The `Topic` is the notice's, so a push service that still has it keeps one of two. */
export function webPushSender(options: WebPushOptions): NotificationSender<Push> {
  const breakers = new HostBreakers();
  return { channel: 'push', send: (push, signal) => breakers.ask(push.to.host, () => send(push, options, signal)) };
}

async function send(push: Push, options: WebPushOptions, signal: AbortSignal): Promise<Verdict> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
  const request = encrypted(push, options.vapid);
  if (request === null) return { kind: 'refused', cause: 'keys' };
  try {
    const answer = await requestPublic(request, { ...options, plain: options.loopback }, deadline);
    // What it says is nobody's business.
    answer.on('error', () => {});
    answer.destroy();
    return judge(answer.statusCode ?? 0, parseRetryAfter(answer.headers['retry-after'], options.now()));
  } catch (error) {
    const failure = outboundFailure(error);
    return failure === 'forbidden_address' ? { kind: 'refused', cause: failure } : { kind: 'later', cause: 'away', afterMs: null };
  }
}

/** Null: nothing can be encrypted for these keys. */
function encrypted({ to, payload, ttlSeconds }: Push, { subject, publicKey, privateKey }: VapidKeys) {
  const keys = { p256dh: Buffer.from(to.p256dh).toString('base64url'), auth: Buffer.from(to.auth).toString('base64url') };
  try {
    const { headers, body } = webPush.generateRequestDetails({ endpoint: to.endpoint, keys }, JSON.stringify(payload), {
      vapidDetails: { subject, publicKey, privateKey },
      TTL: ttlSeconds,
      topic: topicOf(payload.id),
      urgency: payload.reason === 'direct' || payload.reason === 'mention' ? 'high' : 'normal',
      contentEncoding: 'aes128gcm',
    });
    return { method: 'POST' as const, url: new URL(to.endpoint), headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])), body };
  } catch {
    return null;
  }
}

/** A topic has at most 32 characters of base64url: a UUID, as 22. */
const topicOf = (id: string): string => Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url');

/** 404 and 410: the browser has ended its subscription (RFC 8030, section 7.3). Who redirects is not followed. */
export function judge(status: number, retryAfterMs: number | null): Verdict {
  if (status >= 200 && status < 300) return { kind: 'sent' };
  if (status === 404 || status === 410) return { kind: 'gone' };
  const afterMs = retryAfterMs === null ? null : Math.min(retryAfterMs, MOST_RETRY_AFTER);
  if (status === 429) return { kind: 'later', cause: 'busy', afterMs };
  if (status >= 500) return { kind: 'later', cause: 'away', afterMs };
  return { kind: 'refused', cause: String(status) };
}
