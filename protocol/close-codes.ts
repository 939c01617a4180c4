/** What a client does after a close. `resume`: its `(epoch, seq)` is still good. */
export interface CloseRule {
  readonly name: string;
  readonly reconnect: boolean;
  /** Which back-off the next attempt waits for: `jitter` is full jitter over the usual exponential, `slow` starts at its ceiling. */
  readonly backoff: 'none' | 'jitter' | 'slow';
  readonly refreshToken: boolean;
  readonly resume: boolean;
}

/** Codes 4000 to 4999 are Colink's; the others are RFC 6455's. 1005 and 1006 are never sent: they only report. */
export const CLOSE_CODES = {
  1000: { name: 'normal', reconnect: false, backoff: 'none', refreshToken: false, resume: true },
  1001: { name: 'going_away', reconnect: true, backoff: 'jitter', refreshToken: false, resume: true },
  1003: { name: 'unsupported_data', reconnect: false, backoff: 'none', refreshToken: false, resume: true },
  1005: { name: 'no_status', reconnect: true, backoff: 'jitter', refreshToken: false, resume: true },
  1006: { name: 'abnormal', reconnect: true, backoff: 'jitter', refreshToken: false, resume: true },
  1009: { name: 'frame_too_large', reconnect: false, backoff: 'none', refreshToken: false, resume: true },
  1011: { name: 'server_error', reconnect: true, backoff: 'jitter', refreshToken: false, resume: true },
  1012: { name: 'restart', reconnect: true, backoff: 'jitter', refreshToken: false, resume: true },
  4000: { name: 'bad_frame', reconnect: false, backoff: 'none', refreshToken: false, resume: true },
  4001: { name: 'auth_expired', reconnect: true, backoff: 'jitter', refreshToken: true, resume: true },
  4003: { name: 'removed', reconnect: false, backoff: 'none', refreshToken: false, resume: false },
  4008: { name: 'too_slow', reconnect: true, backoff: 'slow', refreshToken: false, resume: true },
  4009: { name: 'epoch_changed', reconnect: true, backoff: 'jitter', refreshToken: false, resume: false },
  4029: { name: 'rate_limited', reconnect: true, backoff: 'slow', refreshToken: false, resume: true },
} as const satisfies Record<number, CloseRule>;

export type CloseCode = keyof typeof CLOSE_CODES;

/** The rule for a code; an unknown one is treated as an abnormal close. */
export function closeRule(code: number): CloseRule {
  return code in CLOSE_CODES ? CLOSE_CODES[code as CloseCode] : CLOSE_CODES[1006];
}

/** A reason that also tells when to come back: at a random moment within so many milliseconds, so that not all come at once. At most 123 bytes. */
export const closeReason = (words: string, withinMs: number): string => (withinMs > 0 ? `${words}; within=${Math.round(withinMs)}` : words);

/** The window of a close reason in milliseconds, or null where it has none. */
export function reconnectWindow(reason: string): number | null {
  const within = /(?:^|; )within=(\d{1,6})$/.exec(reason)?.[1];
  return within === undefined ? null : Number(within);
}
