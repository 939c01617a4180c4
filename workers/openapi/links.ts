import type { Described } from './operations.ts';

/** Where what was made is found in an answer, if not as `/id`: by the parameter of the path that takes it. */
const POINTERS: Readonly<Record<string, string>> = { message_id: '/message_id', user_id: '/user/id' };

/** Tokens are made in one place and revoked in another, with all credentials. */
const ELSEWHERE: Readonly<Record<string, string>> = { '/v1/me/tokens': '/v1/me/credentials' };

/** Links the answer of each route that makes something to all routes that take what it made: their path goes on with its id. */
export function linkCreated(operations: readonly Described[]): void {
  for (const { path, method, operation } of operations) {
    const created = method === 'post' ? operation.responses?.['201'] : undefined;
    if (created === undefined || '$ref' in created) continue;
    const prefix = `${ELSEWHERE[path] ?? path}/{`;
    const takers = operations.filter((taker) => taker.path.startsWith(prefix) && parametersOf(taker.path.slice(prefix.length - 1)).length === 1);
    if (takers.length > 0) created.links = Object.fromEntries(takers.map((taker) => [taker.operation.operationId ?? '', linkTo(taker, path)]));
  }
}

function linkTo(taker: Described, from: string) {
  const given = new Set(parametersOf(from));
  const parameters = parametersOf(taker.path).map((name) => [name, given.has(name) ? `$request.path.${name}` : `$response.body#${POINTERS[name] ?? '/id'}`]);
  return { operationId: taker.operation.operationId, parameters: Object.fromEntries(parameters) as Record<string, string> };
}

const parametersOf = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].flatMap(([, name]) => name ?? []);
