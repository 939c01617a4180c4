import openapi from '../../openapi.json' with { type: 'json' };
import { ApiDocument } from './api-document.ts';
import { faultsOf, type Exchange } from './contract.ts';

/** Of one test file: what answers had against the document, and how many were looked at. */
const faults = new Set<string>();
let answers = 0;
const pending = new Set<Promise<void>>();
let document: ApiDocument | undefined;

/** Holds an answer of the Worker to the document: every one of them has `X-Request-Id`, and nobody else's has. */
export function note(exchange: Exchange): void {
  if (exchange.headers('x-request-id') === undefined) return;
  answers += 1;
  document ??= new ApiDocument(openapi);
  for (const fault of faultsOf(document, exchange)) if (faults.size < 50) faults.add(fault);
}

/** The same for an answer that is yet to be read; whoever asked for it reads a body of their own. */
function noteLater(method: string, url: string, response: Response): void {
  const { status, headers } = response;
  const isText = /json|text/.test(headers.get('content-type') ?? '');
  const read = isText ? response.clone().text() : Promise.resolve('');
  const noted = read.then((text) => note({ method, path: new URL(url).pathname, status, headers: (name) => headers.get(name) ?? undefined, text })).catch(() => {});
  pending.add(noted);
  void noted.finally(() => pending.delete(noted));
}

/** `fetch`, watched. */
export function watch(plain: typeof fetch): typeof fetch {
  return async (input, init) => {
    const response = await plain(input, init);
    const asked = input instanceof Request ? input : { url: String(input), method: 'GET' };
    if (response.headers.has('x-request-id') && response.status !== 101) noteLater((init?.method ?? asked.method).toUpperCase(), asked.url, response);
    return response;
  };
}

export async function noted(): Promise<{ answers: number; faults: string[] }> {
  await Promise.all(pending);
  return { answers, faults: [...faults].toSorted() };
}
