import { TextDecoder } from 'node:util';

/** Bytes in which a page may say how it is encoded (HTML Standard, 13.2.3.2). */
export const HEAD_BYTES = 1_024;

const MARKS: readonly (readonly [readonly number[], string])[] = [[[0xef, 0xbb, 0xbf], 'utf-8'], [[0xfe, 0xff], 'utf-16be'], [[0xff, 0xfe], 'utf-16le']];
const DECLARED = /<meta[^>]+charset\s*=\s*["']?\s*([\w:.-]{1,40})/i;

/** How a page is decoded: by its mark, the header's word, or its own; else as UTF-8, and so where the name is not known. What cannot be decoded is replaced. */
export function decoderOf(contentType: string, head: Uint8Array): TextDecoder {
  const mark = MARKS.find(([bytes]) => bytes.every((byte, n) => head[n] === byte))?.[1];
  const header = /;\s*charset\s*=\s*"?([\w:.-]{1,40})/i.exec(contentType)?.[1];
  return named(mark ?? header ?? declared(head)) ?? new TextDecoder();
}

/** Who says UTF-16 in what was read as ASCII does not mean it. */
function declared(head: Uint8Array): string | undefined {
  const name = DECLARED.exec(new TextDecoder('latin1').decode(head))?.[1]?.toLowerCase();
  return name?.startsWith('utf-16') ? 'utf-8' : name;
}

function named(name: string | undefined): TextDecoder | null {
  if (name === undefined) return null;
  try {
    return new TextDecoder(name);
  } catch {
    return null;
  }
}
