/** Ports to which webhooks go, besides loopback's in development. */
const PORTS = new Set(['', '443', '8443']);
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);

/**
 * What is wrong with the URL of a webhook, for a person; null: nothing. https only, to a name with a dot, without credentials; whether that name leads to a public address is
 * asked at each delivery. `loopback`: http and any port are fine there, which is for development alone.
 */
export function faultOfUrl(text: string, { loopback }: { loopback: boolean }): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null) return 'must be an absolute URL';
  if (url.username !== '' || url.password !== '') return 'must hold no credentials';
  if (loopback && LOOPBACK.has(url.hostname) && /^https?:$/.test(url.protocol)) return null;
  if (url.protocol !== 'https:') return 'must be https';
  if (!PORTS.has(url.port)) return 'must be on port 443 or 8443';
  return isPublicName(url.hostname) ? null : 'must name a public host';
}

/** The parser has made every notation of an address (octal, decimal, hexadecimal) the usual one by now. */
const isPublicName = (hostname: string): boolean => !/^[\d.]+$/.test(hostname) && /^[^.[\]:]+(\.[^.[\]:]+)+\.?$/.test(hostname) && !/\.(localhost|local|internal)\.?$/.test(hostname);
