import { ERRORS, problemDocument, type Problem } from '../../protocol/errors.ts';
import { SUBPROTOCOL } from '../../protocol/version.ts';

/** The answer to an upgrade. A browser offers its ticket as a subprotocol too, which must not come back. */
export function upgraded(request: Request, client: WebSocket): Response {
  const offered = request.headers.get('Sec-WebSocket-Protocol')?.split(',').map((name) => name.trim());
  const headers = offered?.includes(SUBPROTOCOL) ? { 'Sec-WebSocket-Protocol': SUBPROTOCOL } : {};
  return new Response(null, { status: 101, webSocket: client, headers });
}

export function problemResponse(problem: Problem): Response {
  const { retry_after } = problem;
  const headers = { 'Content-Type': 'application/problem+json', ...(retry_after !== undefined && { 'Retry-After': String(retry_after) }) };
  return new Response(JSON.stringify(problemDocument(problem)), { status: ERRORS[problem.code].status, headers });
}
