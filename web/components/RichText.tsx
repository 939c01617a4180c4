import { segments } from '../state/text.ts';

interface Props {
  readonly text: string;
  /** `[start, end)` ranges to mark. */
  readonly marks?: readonly (readonly [number, number])[];
  /** No links: where the whole is a button already. */
  readonly isPlain?: boolean;
}

export function RichText({ text, marks = [], isPlain = false }: Props) {
  return (
    <>
      {segments(text, marks).map(({ text: piece, href, isMarked }, i) => {
        const content = isMarked ? <mark key={i}>{piece}</mark> : piece;
        if (href === null || isPlain) return content;
        return (
          <a key={i} href={href} target="_blank" rel="noopener noreferrer nofollow">
            {content}
          </a>
        );
      })}
    </>
  );
}
