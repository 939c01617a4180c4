import { z } from '@hono/zod-openapi';
import { webhookPayloadSchema } from '../../protocol/webhooks.ts';
import type { App } from '../env.ts';
import { payloadExample } from './webhook-examples.ts';

const headers = z.object({
  'webhook-id': z.string().openapi({ description: 'The event\'s id: the same at every attempt and replay. Who has taken it takes no other of this id', example: '019ac0de-0000-7000-8000-00000000000c' }),
  'webhook-timestamp': z.string().openapi({ description: 'When this attempt was made, in seconds since 1970', example: '1795708800' }),
  'webhook-signature': z.string().openapi({
    description: '`v1,` and the HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}` in base64; two of them, with a space between, while one secret follows another',
    example: 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  }),
});

/** What endpoints get, in the document that describes the rest. */
export function describeWebhookPayload(app: App): void {
  app.openAPIRegistry.registerWebhook({
    method: 'post',
    path: 'event',
    operationId: 'webhookEvent',
    tags: ['webhooks'],
    security: [],
    summary: 'An event, by Standard Webhooks 1.0. Deliveries are repeated until one is answered 2xx: at once, after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h. Their order is not promised',
    request: { headers, body: { required: true, content: { 'application/json': { schema: webhookPayloadSchema, example: payloadExample } } } },
    responses: {
      200: { description: 'Any 2xx: it is taken' },
      410: { description: 'The endpoint is gone: the webhook is disabled' },
      429: { description: 'Too many: `Retry-After` is kept to, for an hour at most. So with 503' },
    },
  });
}
