/** The socket protocol's version, negotiated as a WebSocket subprotocol. `protocol/wire.test.ts` guards it by a hash of the schemas. */
export const SUBPROTOCOL = 'colink.v1';
/** A browser hands its ticket over as a second subprotocol of this prefix: `colink.ticket.<t>`. The server answers `colink.v1` only. */
export const TICKET_SUBPROTOCOL_PREFIX = 'colink.ticket.';
