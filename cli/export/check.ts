import { createHash } from 'node:crypto';
import { type ExportCounts, exportLineSchema, NO_COUNTS, NO_EXPORT_HASH } from '../../protocol/export.ts';

/** A page that is whole and right: its lines, with what ends it. */
export interface CheckedPage {
  readonly text: string;
  /** To go on with; null: the export is whole. */
  readonly cursor: string | null;
}

/**
 * Holds an export to what it says of itself, line by line: each page to its hash, which covers all pages before it, and to its counts. Throws for what is not so, and for a line of
 * another kind than it should be. A copy is a place to come back to.
 */
export class ExportCheck {
  #counts: ExportCounts = NO_COUNTS;
  #hash = NO_EXPORT_HASH;
  #page: string[] = [];

  get counts(): ExportCounts {
    return this.#counts;
  }

  get sha256(): string {
    return this.#hash;
  }

  /** Lines of a page that was not whole are forgotten. */
  drop(): void {
    this.#page = [];
  }

  /** `text` without its end. The page that the line ends, or null. */
  take(text: string): CheckedPage | null {
    const line = exportLineSchema.safeParse(parseJson(text));
    if (!line.success) throw new Error(`no line of an export: ${text.slice(0, 80)}`);
    if (line.data.section !== 'checkpoint' && line.data.section !== 'end') {
      this.#page.push(`${text}\n`);
      return null;
    }
    const page = this.#page.join('');
    this.#close(page, line.data);
    return { text: `${page}${text}\n`, cursor: line.data.section === 'end' ? null : line.data.cursor };
  }

  #close(page: string, told: { readonly counts: ExportCounts; readonly sha256: string }): void {
    const hash = createHash('sha256').update(this.#hash).update(page).digest('hex');
    if (hash !== told.sha256) throw new Error('the export is not what was sent: a page has another hash than its checkpoint says');
    const counts = { ...this.#counts };
    for (const line of this.#page) {
      const section = /^\{"section":"([a-z]+)"/.exec(line)?.[1] ?? '';
      if (isCounted(section)) counts[section] += 1;
    }
    if (JSON.stringify(counts) !== JSON.stringify(told.counts)) throw new Error('the export is not whole: it has other counts than its checkpoint says');
    [this.#counts, this.#hash, this.#page] = [counts, hash, []];
  }
}

const isCounted = (section: string): section is keyof ExportCounts => section in NO_COUNTS;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
