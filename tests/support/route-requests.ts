import { uuidv7 } from 'uuidv7';
import openapi from '../../openapi.json' with { type: 'json' };
import { ApiDocument, type Operation } from './api-document.ts';
import type { RawRequest } from './raw-http.ts';
import { HANDSHAKE } from './raw-socket.ts';

export const document = new ApiDocument(openapi);

/** Bodies in place of the document's examples, where those name what is not there. All are good in form, so that nothing but the right to do it is in question. */
const BODIES: Readonly<Record<string, object>> = {
  'POST /v1/channels/{id}/members': { user_id: uuidv7(), role: 'member' },
  'POST /v1/me/revoke-others': { tokens: false },
};

// `*/*` is no type that a request could say.
const examples = new Map(document.bodies.filter(({ name, type }) => name.endsWith(' body') && type !== '*/*').map((body) => [body.name.slice(0, -' body'.length), { type: body.type, example: document.exampleOf(body) }]));

/** What a request names: values of parameters of path and query, by name. */
export type Names = Readonly<Record<string, string>>;

const DEFAULTS: Names = { user_id: 'me', emoji: 'x', size: '320', name: 'a.txt', q: 'engine' };

export interface Body {
  readonly type: string;
  readonly text: string;
}

/** The body that a route takes; undefined: it takes none. */
export function bodyOf({ name, operationId }: Operation): Body | undefined {
  const shown = examples.get(operationId);
  if (shown === undefined) return undefined;
  const body = BODIES[name] ?? shown.example;
  return { type: shown.type, text: typeof body === 'string' ? body : JSON.stringify(body) };
}

/** A request of a route that is good in form. Ids that are not given are of nothing. */
export function requestOf(operation: Operation, names: Names, token?: string, changes: { readonly headers?: Record<string, string>; readonly body?: Body | undefined } = {}): RawRequest {
  const value = (name: string): string => names[name] ?? DEFAULTS[name] ?? uuidv7();
  const query = operation.parameters.filter((parameter) => parameter.in === 'query' && parameter.required === true).map(({ name }): [string, string] => [name, value(name)]);
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(value(name)));
  const body = changes.body ?? bodyOf(operation);
  const headers = {
    ...(operation.path.endsWith('/socket') && HANDSHAKE),
    ...(body && { 'content-type': body.type, 'content-length': String(Buffer.byteLength(body.text)) }),
    ...(operation.parameters.some(({ name }) => name === 'if-match') && { 'if-match': '"0"' }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...changes.headers,
  };
  return { method: operation.method, path: query.length > 0 ? `${path}?${new URLSearchParams(query)}` : path, headers, ...(body && { body: body.text }) };
}
