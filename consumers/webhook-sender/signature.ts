import { createHmac } from 'node:crypto';

export interface Signed {
  /** Of the event: the same at every attempt. */
  readonly id: string;
  /** Of the attempt, in epoch seconds. */
  readonly timestamp: number;
  readonly body: string;
}

/** The headers of Standard Webhooks 1.0: one signature for each secret, any of which a receiver may know. */
export function signatureHeaders({ id, timestamp, body }: Signed, secrets: readonly Uint8Array[]): Record<string, string> {
  const sign = (secret: Uint8Array): string => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': secrets.map(sign).join(' ') };
}
