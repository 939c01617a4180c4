import { MAX_EVENTS_PER_MS } from '../../protocol/limits.ts';
import { timeOfId } from '../../protocol/primitives.ts';

/** Which message of a channel a `ts` names: the millisecond of its id, and its `seq` modulo `MAX_EVENTS_PER_MS`. */
export interface Stamp {
  readonly ms: number;
  readonly remainder: number;
}

/**
 * Slack's name of a message: seconds, and six digits, of which three are milliseconds and three tell apart what is of one millisecond. A time, unique in its
 * channel, and rising with `pos` but within a millisecond (`docs/decisions/0047-slack-is-spoken-at-the-border.md`).
 */
export const tsOf = ({ id, seq }: { readonly id: string; readonly seq: number }): string => stampText({ ms: timeOfId(id), remainder: seq % MAX_EVENTS_PER_MS });

export const stampText = ({ ms, remainder }: Stamp): string => `${Math.floor(ms / 1_000)}.${digits(ms % 1_000)}${digits(remainder)}`;

const digits = (n: number): string => String(n).padStart(3, '0');

const FORM = /^(\d{1,11})(?:\.(\d{1,6})\d{0,9})?$/;

/** Null for what is none. Fewer digits than six are a time, as in `oldest: '1795708800'`; more, as of a clock, are cut off. */
export function parseTs(text: string): Stamp | null {
  const [, seconds, fraction = ''] = FORM.exec(text) ?? [];
  if (seconds === undefined) return null;
  const micros = Number(fraction.padEnd(6, '0'));
  return { ms: Number(seconds) * 1_000 + Math.floor(micros / 1_000), remainder: micros % 1_000 };
}

/** Of a moment that is no message's. */
export const tsOfTime = (time: string): string => stampText({ ms: Date.parse(time), remainder: 0 });
