/** A stretch of a text: `inline` and `block` are code, without the marks around it. */
export interface Stretch {
  readonly kind: 'prose' | 'inline' | 'block';
  readonly text: string;
}

/** Three backticks around lines, with the name of a language at most on the first; or one around a word or more of one line. */
const CODE = /```(?:[\w+#.-]*\n)?([^]+?)```\n?|`([^`\n]+)`/g;

/** A text in prose and code. Marks that are not closed are prose. */
export function stretches(text: string): Stretch[] {
  const found: Stretch[] = [];
  let end = 0;
  for (const { 0: whole, 1: block, 2: inline, index } of text.matchAll(CODE)) {
    const before = text.slice(end, index);
    found.push({ kind: 'prose', text: block === undefined ? before : before.replace(/\n$/, '') });
    found.push(block === undefined ? { kind: 'inline', text: inline ?? '' } : { kind: 'block', text: block.replace(/\n$/, '') });
    end = index + whole.length;
  }
  return [...found, { kind: 'prose' as const, text: text.slice(end) }].filter((one) => one.text !== '');
}
