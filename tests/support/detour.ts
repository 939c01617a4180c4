/** Of a request that takes the way by the front of a validation proxy: the authority that it is meant for. */
export const TARGET_HEADER = 'x-colink-target';
/** Where that front listens, as `127.0.0.1:4010`; `npm run prism` says so to the tests. */
export const FRONT_VARIABLE = 'COLINK_VALIDATION_FRONT';

/** The way that a request to this URL takes: another authority, and a header with the one that it is meant for. None without a front, and to what is no test's stack. */
export function detourOf(url: URL): { authority: string; header: readonly [string, string] } | null {
  const front = process.env[FRONT_VARIABLE];
  if (front === undefined || url.protocol !== 'http:' || url.hostname !== '127.0.0.1') return null;
  return { authority: front, header: [TARGET_HEADER, url.host] };
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
