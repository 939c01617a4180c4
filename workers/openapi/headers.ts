import { KEY_FORM } from '../idempotency-key.ts';
import type { Described, Operation } from './operations.ts';

/** Headers of answers, once for all of them. */
export const describeHeaders = () => ({
  RequestId: { description: 'Names the request in logs', required: true, schema: { type: 'string' as const } },
  RetryAfter: { description: 'Seconds to wait', required: true, schema: { type: 'integer' as const, minimum: 1 } },
  WwwAuthenticate: { description: 'What credentials are wanted (RFC 6750)', required: true, schema: { type: 'string' as const } },
  RateLimit: { description: 'What is left of the quota: nothing', schema: { type: 'string' as const } },
  RateLimitPolicy: { description: 'The quota of the caller, and the seconds it is for', schema: { type: 'string' as const } },
  IdempotencyReplayed: { description: '`true`: the answer to the first request with this key, again', schema: { type: 'string' as const, const: 'true' } },
});

const ref = (name: keyof ReturnType<typeof describeHeaders>) => ({ $ref: `#/components/headers/${name}` });

/** Of changes that do what they did before when they are repeated, so that nothing has to be kept for them. */
const KEY = {
  name: 'idempotency-key',
  in: 'header' as const,
  description: 'Taken, and of no effect: a repetition of this request is harmless by itself',
  schema: { type: 'string' as const, pattern: KEY_FORM.source },
};
const hasKey = ({ parameters = [] }: Operation): boolean => parameters.some((parameter) => 'name' in parameter && parameter.name === 'idempotency-key');

/** Says of each answer which headers it has besides those its route tells of. */
export function answerHeaders(operations: readonly Described[]): void {
  for (const { method, path, operation } of operations) {
    if (method !== 'get' && path.startsWith('/v1/') && !hasKey(operation)) operation.parameters = [...(operation.parameters ?? []), KEY];
    const limited = '429' in (operation.responses ?? {});
    const keyed = hasKey(operation);
    for (const [status, response] of Object.entries(operation.responses ?? {})) {
      if ('$ref' in response || status === '101') continue;
      response.headers = {
        'X-Request-Id': ref('RequestId'),
        ...(limited && { 'RateLimit-Policy': ref('RateLimitPolicy') }),
        ...(keyed && status.startsWith('2') && { 'Idempotency-Replayed': ref('IdempotencyReplayed') }),
        ...(status === '401' && { 'WWW-Authenticate': ref('WwwAuthenticate') }),
        ...(status === '429' && { 'RateLimit': ref('RateLimit') }),
        ...((status === '429' || status === '503') && { 'Retry-After': ref('RetryAfter') }),
        ...response.headers,
      };
    }
  }
}
