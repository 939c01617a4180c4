import type { ApiDocument, Operation } from './api-document.ts';
import { placeOf, pointerTo } from './api-document.ts';

/** A request that was answered, as it was on the wire. */
export interface Exchange {
  readonly method: string;
  /** With or without a query. */
  readonly path: string;
  readonly status: number;
  readonly headers: (name: string) => string | undefined;
  readonly text: string;
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json$/;

/** Headers by which programs go on: no answer has one that its operation does not tell of. */
const TOLD_WHERE_SENT = ['ETag', 'Link', 'Location'];

/** What an answer has against the document: its status, type, body and headers have to be what its operation says. Nothing is asked of what is no path of the document. */
export function faultsOf(document: ApiDocument, exchange: Exchange): string[] {
  const path = exchange.path.split('?', 1)[0] ?? '';
  const methods = operationsAt(document, path);
  if (methods.length === 0) return [];
  const method = exchange.method === 'HEAD' ? 'GET' : exchange.method;
  const operation = methods.find((candidate) => candidate.method === method);
  if (operation) return faultsOfAnswer(document, operation, exchange).map((fault) => `${operation.name} answered ${exchange.status}: ${fault}`);
  const refused = exchange.status === 405 && exchange.headers('allow') !== undefined;
  return refused || exchange.method === 'OPTIONS' ? [] : [`${exchange.method} ${path} is not described, and answered ${exchange.status}`];
}

/** The operations of a path without a query, of the template with the fewest parameters. */
export function operationsAt({ operations }: ApiDocument, path: string): Operation[] {
  const matching = operations.filter((operation) => templateOf(operation.path).test(path));
  const fewest = Math.min(...matching.map((operation) => parametersOf(operation)));
  return matching.filter((operation) => parametersOf(operation) === fewest);
}

const templates = new Map<string, RegExp>();
function templateOf(path: string): RegExp {
  const known = templates.get(path) ?? new RegExp(`^${path.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`).replaceAll(/\{\w+\}/g, '[^/]+')}$`);
  templates.set(path, known);
  return known;
}
const parametersOf = ({ path }: Operation): number => path.split('{').length;

function faultsOfAnswer(document: ApiDocument, operation: Operation, { status, headers, text, method }: Exchange): string[] {
  const answer = operation.responses[String(status)];
  if (answer === undefined) return ['the status is not described'];
  const untold = TOLD_WHERE_SENT.flatMap((name) => (headers(name.toLowerCase()) !== undefined && !(name in (answer.headers ?? {})) ? [`${name} is not described`] : []));
  const missing = [...untold, ...document.requiredHeaders(answer).flatMap((name) => (headers(name.toLowerCase()) === undefined ? [`no ${name}`] : []))];
  const types = Object.keys(answer.content ?? {});
  if (method === 'HEAD' || types.length === 0) return missing;
  const type = headers('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const described = types.find((candidate) => candidate === type || candidate === '*/*');
  if (described === undefined) return [...missing, `it is ${type || 'of no type'}, not ${types.join(' or ')}`];
  if (!JSON_TYPE.test(type)) return missing;
  return [...missing, ...document.faults(pointerTo(...placeOf(operation), 'responses', String(status), 'content', described, 'schema'), JSON.parse(text))];
}
