import { KEY_FORM } from '../idempotency-key.ts';
import type { Described, Operation } from './operations.ts';

/** Headers of answers, once for all of them. */
export const describeHeaders = () => ({
  RequestId: { description: 'Names the request in logs', required: true, schema: { type: 'string' as const } },
  RetryAfter: { description: 'Seconds to wait', required: true, schema: { type: 'integer' as const, minimum: 1 } },
  WwwAuthenticate: { description: 'What credentials are wanted (RFC 6750)', required: true, schema: { type: 'string' as const } },
  RateLimit: { description: 'What is left of the quota: nothing', schema: { type: 'string' as const } },
  RateLimitPolicy: { description: 'The quota of the caller, and the seconds it is for', schema: { type: 'string' as const } },
  ETag: { description: 'Of which version this is, for `If-Match` and `If-None-Match`', schema: { type: 'string' as const } },
  Link: { description: 'Where the pages beside this one are (RFC 8288), by `rel`', schema: { type: 'string' as const } },
  Location: { description: 'Where what was made is, or where to go on', schema: { type: 'string' as const } },
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
const takes = ({ parameters = [] }: Operation, ...names: readonly string[]): boolean => parameters.some((parameter) => 'name' in parameter && names.includes(parameter.name));
const hasKey = (operation: Operation): boolean => takes(operation, 'idempotency-key');

/** Besides what is at a path where a change takes `If-Match`: whose answers carry an `ETag`, of what they made or changed or of a content. */
const ALSO_TAGGED = new Set([
  'get /v1/users/{id}',
  'get /v1/users/{id}/avatar',
  'put /v1/me/avatar',
  'get /v1/files/{id}/content',
  'get /v1/files/{id}/thumbnails/{size}',
  'post /v1/webhooks',
  'post /v1/webhooks/{id}/rotate-secret',
  'post /v1/channels/{id}/scheduled-messages',
  'post /v1/me/scheduled-messages/{id}/send-now',
]);
const TAGGED_STATUS = /^(?!204)(?:2|304)/;
const PLACED_STATUS = /^(?:201|3(?!04))/;

/** Says of each answer which headers it has besides those its route tells of. */
export function answerHeaders(operations: readonly Described[]): void {
  const versioned = new Set(operations.flatMap(({ path, operation }) => (takes(operation, 'if-match') ? [path] : [])));
  for (const { method, path, operation } of operations) {
    if (method !== 'get' && path.startsWith('/v1/') && !hasKey(operation)) operation.parameters = [...(operation.parameters ?? []), KEY];
    const limited = '429' in (operation.responses ?? {});
    const keyed = hasKey(operation);
    const tagged = versioned.has(path) || ALSO_TAGGED.has(`${method} ${path}`);
    // What was there already is answered by 200.
    const makes = '201' in (operation.responses ?? {});
    const paged = method === 'get' && takes(operation, 'cursor', 'before');
    for (const [status, response] of Object.entries(operation.responses ?? {})) {
      if ('$ref' in response || status === '101') continue;
      response.headers = {
        'X-Request-Id': ref('RequestId'),
        ...(limited && { 'RateLimit-Policy': ref('RateLimitPolicy') }),
        ...(tagged && TAGGED_STATUS.test(status) && { ETag: ref('ETag') }),
        ...(paged && status === '200' && { Link: ref('Link') }),
        ...((PLACED_STATUS.test(status) || (status === '200' && makes)) && { Location: ref('Location') }),
        ...(keyed && status.startsWith('2') && { 'Idempotency-Replayed': ref('IdempotencyReplayed') }),
        ...(status === '401' && { 'WWW-Authenticate': ref('WwwAuthenticate') }),
        ...(status === '429' && { 'RateLimit': ref('RateLimit') }),
        ...((status === '429' || status === '503') && { 'Retry-After': ref('RetryAfter') }),
        ...response.headers,
      };
    }
  }
}
