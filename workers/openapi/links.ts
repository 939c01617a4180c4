import type { Described } from './operations.ts';

/** Where what was made is found in an answer, if not as `/id`: by the parameter of the path that takes it. */
const POINTERS: Readonly<Record<string, string>> = { message_id: '/message_id', user_id: '/user/id' };

/** What is made in one place and found in others, too, or there alone. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  '/v1/channels': ['/v1/me/drafts'],
  '/v1/channels/{id}/messages': ['/v1/admin/messages', '/v1/me/saved'],
  '/v1/channels/{id}/messages/{message_id}/reports': ['/v1/admin/reports'],
  '/v1/channels/{id}/scheduled-messages': ['/v1/me/scheduled-messages'],
  '/v1/direct-channels': ['/v1/channels', '/v1/me/drafts'],
  '/v1/me/tokens': ['/v1/me/credentials'],
};

/** Links the answer of each route that makes something to all routes that take what it made: their path goes on with its id. */
export function linkCreated(operations: readonly Described[]): void {
  for (const { path, method, operation } of operations) {
    const created = method === 'post' ? operation.responses?.['201'] : undefined;
    if (created === undefined || '$ref' in created) continue;
    const prefixes = [path, ...(ELSEWHERE[path] ?? [])].map((place) => `${place}/{`);
    const takers = operations.filter((taker) => prefixes.some((prefix) => taker.path.startsWith(prefix) && parametersOf(taker.path.slice(prefix.length - 1)).length === 1));
    if (takers.length > 0) created.links = Object.fromEntries(takers.map((taker) => [taker.operation.operationId ?? '', linkTo(taker)]));
  }
}

/** The last parameter of a path is what was made; those before it are where. */
function linkTo(taker: Described) {
  const names = parametersOf(taker.path);
  const parameters = names.map((name, n) => [name, n < names.length - 1 ? `$request.path.${name}` : `$response.body#${POINTERS[name] ?? '/id'}`]);
  return { operationId: taker.operation.operationId, parameters: Object.fromEntries(parameters) as Record<string, string> };
}

const parametersOf = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].flatMap(([, name]) => name ?? []);
