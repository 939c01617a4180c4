import type { DeadLetter, DeadLetterAct, DeadLetterDetail, ShownRecord, TextOrBytes } from '../../protocol/dead-letters.ts';
import { decodeText, toBase64 } from '../bytes.ts';
import type { NumberedLetter, WholeLetter } from '../queries/dead-letter-reads.ts';
import { faultsOf, type KeptRecord } from './check.ts';

export function summaryOf(row: NumberedLetter): DeadLetter {
  const { number: _, ...letter } = row;
  return letter;
}

/** What a redrive of the letter hands over. */
export const redrivenRecord = (letter: WholeLetter): KeptRecord => ({
  key: letter.edited_key ?? letter.record_key,
  value: letter.edited_value ?? letter.record_value,
  headers: letter.edited_headers ?? letter.headers,
});

export function detailOf(letter: WholeLetter, acts: readonly DeadLetterAct[]): DeadLetterDetail {
  const redriven = redrivenRecord(letter);
  return { ...recordsOf(letter), faults: faultsOf(letter.topic, redriven), acts: [...acts] };
}

/** A letter with what came and what would be redriven, without its story. */
export function recordsOf(whole: WholeLetter): DeadLetter & { record: ShownRecord; redrives: ShownRecord } {
  const { record_key: key, record_value: value, headers, edited_key: _key, edited_value: _value, edited_headers: _headers, number: _number, ...letter } = whole;
  return { ...letter, record: show({ key, value, headers }), redrives: show(redrivenRecord(whole)) };
}

const show = ({ key, value, headers }: KeptRecord): ShownRecord => ({ key: textOrBytes(key), value: textOrBytes(value), headers });

function textOrBytes(bytes: Uint8Array | null): TextOrBytes | null {
  if (bytes === null) return null;
  const text = decodeText(bytes);
  return text === null ? { base64: toBase64(bytes) } : { text };
}
