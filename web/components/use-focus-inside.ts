import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/** The focus goes into what has opened, and back to what opened it when that closes with the focus inside. */
export function useFocusInside(ref: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    const opened = ref.current;
    const opener = document.activeElement;
    opened?.focus();
    return () => {
      if (opened?.contains(document.activeElement) && opener instanceof HTMLElement) giveBack(opener);
    };
  }, []);
}

/** What opened it may be in the list of channels, which is away again on a phone: the button that shows that list stands for it. */
function giveBack(opener: HTMLElement): void {
  const isSeen = opener.checkVisibility({ visibilityProperty: true });
  (isSeen ? opener : document.querySelector<HTMLElement>('.menu-button'))?.focus();
}
