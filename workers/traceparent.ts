/** The caller's trace context (W3C Trace Context, version 00); null for none, and for one that is not well-formed. */
export function traceparentOf(headers: Headers): string | null {
  const header = headers.get('traceparent');
  return header !== null && /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(header) ? header : null;
}
