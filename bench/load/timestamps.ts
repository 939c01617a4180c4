/** When a message was sent stands at the front of its text, so that whoever reads it anywhere can tell how long it took. */
const MARK = '"text":"@';
const DIGITS = 16;

/** Milliseconds since the epoch, of one clock for all threads. */
export const clock = (): number => performance.timeOrigin + performance.now();

/** `text` with the time in front: 13 digits of milliseconds and two decimals. */
export const stamped = (text: string, at: number): string => `@${at.toFixed(2)} ${text}`;

/** The times of all messages in the text of an `events` frame, in order. */
export function readStamps(json: Buffer): number[] {
  const stamps: number[] = [];
  for (let at = json.indexOf(MARK); at !== -1; at = json.indexOf(MARK, at + MARK.length + DIGITS)) {
    stamps.push(Number(json.toString('latin1', at + MARK.length, at + MARK.length + DIGITS)));
  }
  return stamps;
}
