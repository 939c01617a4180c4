import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Target } from '../state/channel-store.ts';
import type { Row } from '../state/rows.ts';

/** This close to the end counts as there, in CSS pixels. */
const END_PX = 48;
/** This close to an end, more is read. */
const NEAR_PX = 600;
const FLASH_MS = 2_000;

interface Options {
  readonly rows: readonly Row[];
  /** Whether the last row is the newest there is. */
  readonly isAtPresent: boolean;
  readonly target: Target | null;
  readonly nearTop: () => void;
  readonly nearBottom: () => void;
}

/** The message at the upper edge, and how far below that edge it begins. */
interface Anchor {
  readonly key: string;
  readonly offset: number;
}

/**
 * Keeps what is read in place: at the end the list follows new rows, anywhere else the message at the upper edge stays where it is,
 * whatever is put in before it. (Safari has no scroll anchoring of its own, so nobody's is used.)
 */
export function useStableScroll(ref: RefObject<HTMLDivElement | null>, { rows, isAtPresent, target, nearTop, nearBottom }: Options) {
  const [isAtEnd, setAtEnd] = useState(true);
  const isFollowing = useRef(true);
  const anchor = useRef<Anchor | null>(null);
  const isPlaced = useRef(false);
  const shownTarget = useRef<object | null>(null);
  const latest = useRef({ nearTop, nearBottom });
  latest.current = { nearTop, nearBottom };

  const look = () => {
    const list = ref.current;
    if (!list || !isPlaced.current) return;
    const below = list.scrollHeight - list.scrollTop - list.clientHeight;
    isFollowing.current = below < END_PX;
    anchor.current = topRow(list);
    setAtEnd(isFollowing.current);
    if (list.scrollTop < NEAR_PX) latest.current.nearTop();
    if (below < NEAR_PX) latest.current.nearBottom();
  };

  const aim = (list: HTMLElement, wanted: Target) => {
    if (wanted.messageId === null) toEnd();
    else if (!show(list, wanted.messageId)) return;
    shownTarget.current = wanted;
  };
  const toEnd = () => {
    isFollowing.current = true;
    if (ref.current) ref.current.scrollTop = ref.current.scrollHeight;
  };

  useLayoutEffect(() => {
    const list = ref.current;
    if (!list || rows.length === 0) return;
    if (!isPlaced.current) placeFirst(list);
    else if (isFollowing.current && isAtPresent) list.scrollTop = list.scrollHeight;
    else if (anchor.current) keep(list, anchor.current);
    isPlaced.current = true;
    if (target && shownTarget.current !== target) aim(list, target);
    look();
  }, [rows, target]);

  useEffect(() => {
    const list = ref.current;
    if (!list) return;
    const resized = new ResizeObserver(() => {
      if (isFollowing.current) list.scrollTop = list.scrollHeight;
    });
    resized.observe(list);
    list.addEventListener('scroll', look, { passive: true });
    return () => {
      resized.disconnect();
      list.removeEventListener('scroll', look);
    };
  }, []);

  return { isAtEnd, toEnd, look };
}

/** At the first new message where it would be out of sight, else at the end. */
function placeFirst(list: HTMLElement): void {
  list.scrollTop = list.scrollHeight;
  const marker = list.querySelector<HTMLElement>('.new-marker');
  if (marker && marker.offsetTop < list.scrollTop) list.scrollTop = marker.offsetTop - list.clientHeight / 4;
}

function topRow(list: HTMLElement): Anchor | null {
  const all = list.querySelectorAll<HTMLElement>(':scope > [data-key]');
  let low = 0;
  let high = all.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = all[middle];
    if (row && row.offsetTop + row.offsetHeight > list.scrollTop) high = middle;
    else low = middle + 1;
  }
  const row = all[low];
  return row?.dataset['key'] ? { key: row.dataset['key'], offset: row.offsetTop - list.scrollTop } : null;
}

function keep(list: HTMLElement, { key, offset }: Anchor): void {
  const row = list.querySelector<HTMLElement>(`:scope > [data-key="${CSS.escape(key)}"]`);
  if (row) list.scrollTop = row.offsetTop - offset;
}

function show(list: HTMLElement, messageId: string): boolean {
  const row = list.querySelector<HTMLElement>(`:scope > [data-message="${CSS.escape(messageId)}"]`);
  if (!row) return false;
  row.scrollIntoView({ block: 'center' });
  row.classList.add('flash');
  setTimeout(() => row.classList.remove('flash'), FLASH_MS);
  return true;
}
