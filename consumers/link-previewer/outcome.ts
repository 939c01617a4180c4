import type { KnownPage, MessageJob, PageJob, PageSettlement } from '../../db/queries/link-previews.ts';
import { MAX_PREVIEWS } from '../../protocol/limits.ts';
import type { LinkPreview } from '../../protocol/previews.ts';
import { backoffDelay } from '../runtime/backoff.ts';
import { hashOf } from './links.ts';
import type { Look } from './look-up.ts';

const [MINUTE_MS, HOUR_MS] = [60_000, 3_600_000];
/** For so long what was found is shown to others who link to the page; and for so long it is left alone where nothing was. */
const KEEP_FOUND_MS = 24 * HOUR_MS;
const KEEP_NONE_MS = HOUR_MS;
/** Tries of a page that fails. */
const MAX_TRIES = 5;
const RETRY = { first: MINUTE_MS, most: 32 * MINUTE_MS };
/** Between tries while this side is cut off, which cost nothing. */
const AWAY = { first: 20_000, most: 10 * MINUTE_MS };
/** Nobody waits for longer. */
export const MOST_WAIT_MS = 24 * HOUR_MS;

/** What follows from what came of asking for a page. */
export function afterLook({ attempts, ageMs }: Pick<PageJob, 'attempts' | 'ageMs'>, look: Look, random: () => number): PageSettlement {
  switch (look.kind) {
    case 'found':
      return { state: 'found', preview: look.preview, keepMs: KEEP_FOUND_MS };
    case 'none':
      return { state: 'none', failure: look.reason, keepMs: KEEP_NONE_MS };
    case 'away':
      if (ageMs >= MOST_WAIT_MS) return { state: 'none', failure: look.reason, keepMs: 0 };
      // Waits grow with the age of the page: there is no count of what costs nothing.
      return { state: 'waiting', attempts, failure: look.reason, retryInMs: backoffDelay({ first: AWAY.first, most: Math.max(AWAY.first, Math.min(AWAY.most, ageMs / 4)) }, 10, random) };
    case 'failed':
      if (attempts + 1 >= MAX_TRIES) return { state: 'none', failure: look.reason, keepMs: KEEP_NONE_MS };
      return { state: 'waiting', attempts: attempts + 1, failure: look.reason, retryInMs: backoffDelay(RETRY, 2 * attempts + 1, random) };
  }
}

/** A page that killed its process again and again is asked for no more. */
export const isLost = ({ attempts }: Pick<PageJob, 'attempts'>): boolean => attempts >= MAX_TRIES;

/** What is to be done with a message now. `tell`: what its room is to be told, if anything. `againInMs` null: then it is done with. */
export interface MessageStep {
  readonly tell: readonly LinkPreview[] | null;
  readonly againInMs: number | null;
}

/** Waits of a message for its pages, by a part of its age: the young is told soon, and the old is not asked about for ever. */
const LOOK = { part: 5, first: 150, most: MINUTE_MS };

/**
 * A message is told of all of its pages at once, but waits for none that has failed before: what that says in the end is told later. A page that is not known at all was not taken, for
 * too many wait.
 */
export function stepOf({ urls, told, ageMs }: Pick<MessageJob, 'urls' | 'told' | 'ageMs'>, pages: readonly KnownPage[]): MessageStep {
  const known = new Map(pages.map((page) => [page.hash, page]));
  const mine = urls.slice(0, MAX_PREVIEWS).map((url) => ({ url, page: known.get(hashOf(url)) }));
  const waiting = mine.filter(({ page }) => page?.state === 'waiting');
  const found = mine.flatMap(({ url, page }): LinkPreview[] => (page?.preview == null ? [] : [{ url, ...page.preview }]));
  const isUntried = waiting.some(({ page }) => page?.attempts === 0) && ageMs < MINUTE_MS;
  const tell = found.length > told && !isUntried ? found : null;
  const isOver = waiting.length === 0 || ageMs >= MOST_WAIT_MS + HOUR_MS;
  return { tell, againInMs: isOver ? null : Math.min(LOOK.most, Math.max(LOOK.first, ageMs / LOOK.part)) };
}
