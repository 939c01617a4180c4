import type { Delivery, NewWebhook, Webhook, WebhookPayload } from '../../protocol/webhooks.ts';

/** One webhook, as the document of the API tells its story. */
export const webhookExample: Webhook = {
  id: '019ac0de-0000-7000-8000-00000000000a',
  channel_id: null,
  url: 'https://example.com/colink',
  event_types: ['message.created', 'message.deleted'],
  description: 'Deploy bot',
  state: 'enabled',
  disabled_reason: null,
  disabled_at: null,
  failing_since: null,
  previous_secret_until: null,
  created_at: '2026-11-26T12:00:00.000Z',
  version: 1,
};

export const newWebhookExample: NewWebhook = { url: webhookExample.url, event_types: webhookExample.event_types, channel_id: null, description: webhookExample.description };

/** Of no webhook there is: 32 zeros. */
export const webhookSecretExample = { ...webhookExample, secret: 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' };

export const deliveryExample: Delivery = {
  id: '019ac0de-0000-7000-8000-00000000000c',
  event_type: 'message.created',
  channel_id: '019ac0de-0000-7000-8000-00000000000b',
  status: 'pending',
  attempts: 2,
  next_attempt_at: '2026-11-26T12:05:35.000Z',
  last_status: 500,
  last_latency_ms: 41,
  failure: 'status',
  created_at: '2026-11-26T12:00:30.000Z',
  settled_at: null,
};

export const payloadExample: WebhookPayload = {
  type: 'message.created',
  timestamp: '2026-11-26T12:00:29.512Z',
  data: {
    channel_id: '019ac0de-0000-7000-8000-00000000000b',
    seq: 17,
    id: '019ac0de-0000-7000-8000-00000000000c',
    actor_id: '019ac0de-0000-7000-8000-00000000000d',
    message_id: '019ac0de-0000-7000-8000-00000000000e',
    client_msg_id: 'hello-1',
    text: 'Hello from curl',
    pos: 12,
    thread_id: null,
    tpos: null,
  },
};
