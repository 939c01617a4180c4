/**
 * What came of one sending. `later`: it may succeed then, not before `afterMs`; `away`: who is asked does not answer, or fails; `busy`: they ask to be left alone;
 * `held`: nobody was asked, for they have failed too often. `refused`: never, and only this. `gone`: whoever it was for is not there any more.
 */
export type Verdict =
  | { readonly kind: 'sent' }
  | { readonly kind: 'later'; readonly cause: 'away' | 'busy' | 'held'; readonly afterMs: number | null }
  | { readonly kind: 'refused'; readonly cause: string }
  | { readonly kind: 'gone' };

/**
 * A way by which people are told of notices outside of Colink. Whether they are to be told is decided before; here it is sent, once. A process that dies between sending and
 * storing has sent what another will send again: so each message bears a name that is the same both times, by which the receiver shows it once.
 */
export interface NotificationSender<Message> {
  readonly channel: 'push' | 'email';
  /** Never rejects. Ends soon after `signal` aborts. */
  send(message: Message, signal: AbortSignal): Promise<Verdict>;
}
