/** Who acts, as the Worker authenticated it. `credential_id` is the session's or token's, by which live access is revoked. */
export interface Actor {
  readonly user_id: string;
  readonly credential_id: string;
  /** When the credential ends, in epoch milliseconds. */
  readonly expires_at: number;
  /** Of the request by which they act, in the form of W3C Trace Context: what it appends bears it. A socket has none. */
  readonly traceparent?: string;
}

/** What a ticket gave: whose it was, and their next one. */
export interface Redeemed {
  readonly actor: Actor;
  readonly next_ticket: string;
}
