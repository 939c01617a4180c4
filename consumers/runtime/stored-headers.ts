/** Headers of a record as Kafka carries them: names may repeat, values are bytes. */
export type RecordHeaders = Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
/** The same as jsonb can hold them. */
export type StoredHeaders = Readonly<Record<string, string | readonly string[]>>;

/** Marks text that is the base64 of what jsonb cannot hold: NUL, or bytes that are no UTF-8. Text that begins like this is marked too. */
const MARK = 'base64:';

/** Keeps every byte: what is storable text stays readable, the rest becomes base64. */
export function storeHeaders(headers: RecordHeaders): StoredHeaders {
  const stored: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    stored[storeText(Buffer.from(name))] = Array.isArray(value) ? value.map((one) => storeText(Buffer.from(one))) : storeText(Buffer.from(value));
  }
  return stored;
}

/** The inverse of `storeHeaders`. */
export function restoreHeaders(stored: StoredHeaders): Record<string, Buffer | Buffer[]> {
  return Object.fromEntries(
    Object.entries(stored).map(([name, value]) => [
      restoreText(name).toString(),
      typeof value === 'string' ? restoreText(value) : value.map((one) => restoreText(one)),
    ]),
  );
}

function storeText(bytes: Buffer): string {
  const text = bytes.toString();
  const readable = !text.includes('\0') && !text.startsWith(MARK) && Buffer.from(text).equals(bytes);
  return readable ? text : MARK + bytes.toString('base64');
}

function restoreText(text: string): Buffer {
  return text.startsWith(MARK) ? Buffer.from(text.slice(MARK.length), 'base64') : Buffer.from(text);
}
