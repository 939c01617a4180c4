import { request } from 'node:http';
import { note } from './contract-notes.ts';
import { detourOf } from './detour.ts';
import { type ProblemDocument, problemSchema } from '../../protocol/errors.ts';

export interface RawRequest {
  readonly method: string;
  /** Sent as it is: nothing is normalised or encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** One request on a connection of its own, answered or given up within 10 s. */
export function rawRequest(baseUrl: string, { method, path, headers, body }: RawRequest): Promise<RawResponse> {
  const target = new URL(baseUrl);
  const detour = detourOf(target);
  const { hostname, port } = detour === null ? target : new URL(`http://${detour.authority}`);
  const all = { ...headers, ...(detour !== null && Object.fromEntries([detour.header])) };
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers: all, agent: false, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        note({ method, path, status, headers: (name) => response.headers[name]?.toString(), text });
        resolve({ status, headers: response.headers, text });
      });
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 10 s')));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The problem document of an answer. Throws where it is none, or not of one mind with its status. */
export function problemOf({ status, headers, text }: RawResponse): ProblemDocument {
  const type = String(headers['content-type']);
  if (!type.startsWith('application/problem+json')) throw new Error(`${status} is ${type}, no problem document: ${text.slice(0, 300)}`);
  const problem = problemSchema.parse(JSON.parse(text));
  if (problem.status !== status) throw new Error(`status ${status} carries a problem of status ${problem.status}`);
  return problem;
}
