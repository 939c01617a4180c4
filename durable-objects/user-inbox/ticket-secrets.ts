const SECRET_BYTES = 32;
/** A user's id in hex, by which a Worker finds the inbox again. */
const PREFIX = 32;

export const ticketOf = (userId: string): string => userId.replaceAll('-', '') + base64url(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));

/** Another one of the same user. */
export const nextTicketOf = (ticket: string): string => ticketOf(ticket.slice(0, PREFIX));

/** What is kept of a ticket. */
export async function hashOf(ticket: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(ticket))));
}

/** Letters, digits, `-` and `_` only: a WebSocket subprotocol takes no others. */
function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
