import { SUBPROTOCOL, TICKET_SUBPROTOCOL_PREFIX } from '../protocol/version.ts';

/** What a client offers in `Sec-WebSocket-Protocol`. */
export interface Offer {
  /** Whether it speaks `colink.v1`: the only protocol the answer may name. */
  readonly speaksColink: boolean;
  readonly ticket: Ticket | null;
}
interface Ticket {
  readonly text: string;
  /** The inbox it was issued by; a ticket begins with the user's id in hex. */
  readonly userId: string;
}

export function readOffer(header: string | null): Offer {
  const offered = (header ?? '').split(',').map((protocol) => protocol.trim());
  const ticket = offered.find((protocol) => protocol.startsWith(TICKET_SUBPROTOCOL_PREFIX))?.slice(TICKET_SUBPROTOCOL_PREFIX.length);
  return { speaksColink: offered.includes(SUBPROTOCOL), ticket: ticket === undefined ? null : readTicket(ticket) };
}

/** A ticket of another form has the id of nobody, whose inbox knows no tickets. */
function readTicket(text: string): Ticket {
  const hex = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})[A-Za-z0-9._~-]{1,200}$/.exec(text);
  return { text, userId: hex ? hex.slice(1).join('-') : '' };
}
