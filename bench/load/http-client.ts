import { connect, type Socket } from 'node:net';
import { HttpResponses, type HttpResponse } from './http-responses.ts';

/** A keep-alive connection with one request in flight. */
export interface HttpClient {
  request(bytes: string): Promise<HttpResponse>;
  close(): void;
}

/** The bytes of a request. `bearer` empty: none. */
export function requestBytes(method: string, path: string, bearer: string, body?: string): string {
  const lines = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1', ...(bearer === '' ? [] : [`authorization: Bearer ${bearer}`])];
  const entity = body === undefined ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`];
  return `${[...lines, ...entity].join('\r\n')}\r\n\r\n${body ?? ''}`;
}

/** Resolves when connected to loopback. Rejects, then and later, when the connection ends. */
export function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

export async function openHttpClient(port: number): Promise<HttpClient> {
  const socket = await openSocket(port);
  const responses = new HttpResponses();
  let waiting: PromiseWithResolvers<HttpResponse> | null = null;
  const fail = (error: Error): void => waiting?.reject(error);
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the server closed the connection')));
  socket.on('data', (bytes: Buffer) => {
    try {
      for (const response of responses.push(bytes)) waiting?.resolve(response);
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  });
  return {
    request(bytes) {
      waiting = Promise.withResolvers();
      if (socket.destroyed) fail(new Error('the connection has ended'));
      else socket.write(bytes);
      return waiting.promise;
    },
    close: () => void socket.destroy(),
  };
}
