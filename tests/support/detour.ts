/** Of a request that takes the way by the front of a validation proxy: the authority that it is meant for. */
export const TARGET_HEADER = 'x-colink-target';
/** What the front answers to `CONNECT`, byte by byte. */
export const CONNECTED = 'HTTP/1.1 200 OK\r\n\r\n';
/** Where that front listens, as `127.0.0.1:4010`; `npm run prism` says so to the tests. */
export const FRONT_VARIABLE = 'COLINK_VALIDATION_FRONT';

/** The front that is before this host. Null without one, and for what is no test's stack. */
export const frontOf = (host: string): string | null => (host === '127.0.0.1' ? (process.env[FRONT_VARIABLE] ?? null) : null);

/** The way that a request to this URL takes: another authority, and a header with the one that it is meant for. */
export function detourOf(url: URL): { authority: string; header: readonly [string, string] } | null {
  const authority = url.protocol === 'http:' ? frontOf(url.hostname) : null;
  return authority === null ? null : { authority, header: [TARGET_HEADER, url.host] };
}

/** `fetch`, by the front of a validation proxy where there is one. */
export function fetchByFront(plain: typeof fetch): typeof fetch {
  return (input, init) => {
    const detour = input instanceof Request ? null : detourOf(new URL(input));
    if (detour === null) return plain(input, init);
    const url = new URL(String(input));
    const headers = new Headers(init?.headers);
    headers.set(...detour.header);
    url.host = detour.authority;
    return plain(url, { ...init, headers });
  };
}
