import { MAX_EDITED_VALUE, type DeadLetterDetail, type LetterEdit } from '../../protocol/dead-letters.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { encodeText } from '../bytes.ts';
import type { Transaction } from '../client.ts';
import { type ActBy, type LetterChange, saveEdit } from '../queries/dead-letter-acts.ts';
import { findDeadLetter, listActs, type WholeLetter } from '../queries/dead-letter-reads.ts';
import { faultsOf, type KeptRecord } from './check.ts';
import { detailOf, redrivenRecord } from './view.ts';

/** Most acts of a letter that are shown. */
const MOST_ACTS = 100;

/** A letter with everything known of it; null: there is none of this id. */
export async function showLetter(tx: Transaction, id: string): Promise<DeadLetterDetail | null> {
  const letter = await findDeadLetter(tx, id);
  return letter === null ? null : detailOf(letter, await listActs(tx, id, MOST_ACTS));
}

export interface EditRequest {
  readonly id: string;
  readonly edit: LetterEdit;
  readonly by: ActBy;
  /** The version that is meant; null: whichever there is. */
  readonly version: number | null;
}

/**
 * Puts an edit beside what came: the next redrive hands it over. `not_found`; `conflict` for one that is not pending or has no group;
 * `precondition_failed` for another version; `invalid` for what the event's schema refuses, unless forced.
 */
export async function editLetter(tx: Transaction, { id, edit, by, version }: EditRequest): Promise<Outcome<DeadLetterDetail>> {
  const letter = await findDeadLetter(tx, id, true);
  if (letter === null) return { problem: { code: 'not_found' } };
  if (version !== null && version !== letter.version) return { problem: { code: 'precondition_failed' } };
  const refusal = refuse(letter);
  if (refusal !== null) return { problem: { code: 'conflict', detail: refusal } };
  const edited = applied(redrivenRecord(letter), edit);
  const faults = [...tooLarge(edit), ...(edit.force ? [] : faultsOf(letter.topic, edited))];
  if (faults.length > 0) return { problem: { code: 'invalid', errors: faults.map((detail) => ({ pointer: '', detail })) } };
  await saveEdit(tx, id, changeOf(edited, edit), by, edit.force);
  const shown = await showLetter(tx, id);
  return shown === null ? { problem: { code: 'not_found' } } : { ok: shown };
}

function refuse({ status, stage }: WholeLetter): string | null {
  if (stage === 'drain') return 'what a drain gave up has no group to be redriven to';
  return status === 'pending' ? null : `the letter is ${status}: only a pending one can be edited`;
}

const applied = (record: KeptRecord, { key, value, headers }: LetterEdit): KeptRecord => ({
  key: key === undefined ? record.key : encodeText(key),
  value: value === undefined ? record.value : encodeText(value),
  headers: { ...record.headers, ...headers },
});

const tooLarge = ({ value = '' }: LetterEdit): string[] => (encodeText(value).length > MAX_EDITED_VALUE ? [`the value has more than ${MAX_EDITED_VALUE} bytes`] : []);

const changeOf = (edited: KeptRecord, { key, value, headers }: LetterEdit): LetterChange => ({
  key: key === undefined ? null : edited.key,
  value: value === undefined ? null : edited.value,
  headersJson: headers === undefined ? null : JSON.stringify(edited.headers),
});
