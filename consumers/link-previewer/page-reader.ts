import { Parser } from 'htmlparser2';
import { MAX_PREVIEW_DESCRIPTION, MAX_PREVIEW_SITE, MAX_PREVIEW_TITLE } from '../../protocol/limits.ts';
import { type LinkPreview, linkPreviewSchema } from '../../protocol/previews.ts';
import { lineOf } from './text.ts';

export type FoundPreview = Omit<LinkPreview, 'url'>;
const foundSchema = linkPreviewSchema.omit({ url: true });

/** Elements within elements. Past it the page is not read further: who closes what is not open has all that is open looked through. */
const MOST_DEPTH = 256;
/** Characters that are parsed before anybody looks whether that is enough. */
const SLICE = 4_096;
/** UTF-16 code units of a title that are kept. */
const MOST_TITLE = 4_096;

/** Names of what a page says of itself, the best first: the Open Graph protocol, cards of X, HTML. */
const TITLES = ['og:title', 'twitter:title', 'title'] as const;
const DESCRIPTIONS = ['og:description', 'twitter:description', 'description'] as const;
const SITE = 'og:site_name';
type Name = (typeof TITLES)[number] | (typeof DESCRIPTIONS)[number] | typeof SITE;
const NAMES: ReadonlySet<string> = new Set([...TITLES, ...DESCRIPTIONS, SITE]);
const isName = (name: string): name is Name => name !== 'title' && NAMES.has(name);

/** Reads what a page of HTML says of itself, piece by piece, and no further than it must. Nothing of it is run, loaded or kept but words. */
export class PageReader {
  readonly #found = new Map<Name, string>();
  readonly #parser: Parser;
  #depth = 0;
  #title: string | null = null;
  #isInTitle = false;
  #isOver = false;

  constructor() {
    this.#parser = new Parser({
      onopentag: (name, attributes) => this.#opened(name, attributes),
      ontext: (text) => this.#said(text),
      onclosetag: (name) => this.#closed(name),
    });
  }

  /** Whether the rest of the page can be left unread. */
  get isOver(): boolean {
    return this.#isOver;
  }

  read(html: string): void {
    for (let at = 0; at < html.length && !this.#isOver; at += SLICE) this.#parser.write(html.slice(at, at + SLICE));
  }

  /** Null: the page has no title. */
  finish(): FoundPreview | null {
    // What an element that is not closed has said is told here.
    if (!this.#isOver) this.#parser.end();
    if (this.#title !== null) this.#found.set('title', this.#title);
    const title = this.#first(TITLES, MAX_PREVIEW_TITLE);
    const found = { title, description: this.#first(DESCRIPTIONS, MAX_PREVIEW_DESCRIPTION), site_name: this.#first([SITE], MAX_PREVIEW_SITE) };
    return title === null ? null : (foundSchema.safeParse(found).data ?? null);
  }

  #first(names: readonly Name[], max: number): string | null {
    for (const name of names) {
      const line = lineOf(this.#found.get(name) ?? null, max);
      if (line !== null) return line;
    }
    return null;
  }

  #opened(name: string, attributes: Readonly<Record<string, string>>): void {
    this.#depth += 1;
    if (this.#depth > MOST_DEPTH) this.#isOver = true;
    if (name === 'body') this.#headEnded();
    if (this.#isOver) return;
    if (name === 'meta') this.#meta(attributes);
    // Pictures within the page have titles of their own.
    if (name === 'title' && this.#title === null) [this.#isInTitle, this.#title] = [true, ''];
  }

  #meta({ property, name, content }: Readonly<Record<string, string>>): void {
    for (const key of [property, name]) {
      const meant = key?.trim().toLowerCase() ?? '';
      if (isName(meant) && content !== undefined && !this.#found.has(meant)) this.#found.set(meant, content);
    }
  }

  #said(text: string): void {
    if (this.#isInTitle && this.#title !== null && this.#title.length < MOST_TITLE) this.#title += text.slice(0, MOST_TITLE);
  }

  #closed(name: string): void {
    this.#depth -= 1;
    if (name === 'title') this.#isInTitle = false;
    if (name === 'head') this.#headEnded();
  }

  /** Few pages say in their bodies what they are; those that have not said it by then may. */
  #headEnded(): void {
    this.#isOver ||= this.#title !== null || TITLES.some((name) => this.#found.has(name));
  }
}
