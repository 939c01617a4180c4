import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/** An item of a list beside the channel that goes with the focus inside leaves it to the list: it is not lost to the page. */
export function useFocusKept(ref: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    const item = ref.current;
    const panel = item?.closest<HTMLElement>('.panel');
    return () => {
      if (item?.contains(document.activeElement)) panel?.focus();
    };
  }, []);
}
