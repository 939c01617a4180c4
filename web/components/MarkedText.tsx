import { segments } from '../state/text.ts';

interface Props {
  readonly text: string;
  /** `[start, end)` ranges to mark. */
  readonly marks: readonly (readonly [number, number])[];
}

/** A text as it was typed, with what was searched for marked. */
export function MarkedText({ text, marks }: Props) {
  return <>{segments(text, marks).map(({ text: piece, isMarked }, i) => (isMarked ? <mark key={i}>{piece}</mark> : piece))}</>;
}
