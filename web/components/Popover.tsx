import type { ComponentChildren, RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { besideAnchor } from '../state/placement.ts';

interface Props {
  readonly anchor: RefObject<HTMLElement | null>;
  readonly label: string;
  readonly class?: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** A small window over everything, beside its anchor: ends on Escape and on a press elsewhere, and gives the focus back. */
export function Popover({ anchor, label, class: extra = '', onClose, children }: Props) {
  const ref = useRef<HTMLDivElement>(null);
  const close = useRef(onClose);
  close.current = onClose;
  useLayoutEffect(() => {
    const box = ref.current;
    const beside = anchor.current;
    return box && beside ? show(box, beside, () => close.current()) : undefined;
  }, []);
  const handleKey = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    event.stopPropagation();
    onClose();
  };
  return (
    <div ref={ref} popover="manual" class={`popover ${extra}`} role="dialog" aria-label={label} tabIndex={-1} onKeyDown={handleKey}>
      {children}
    </div>
  );
}

function show(box: HTMLElement, anchor: HTMLElement, close: () => void): () => void {
  const opener = document.activeElement;
  const put = () => place(box, anchor);
  const pressed = ({ target }: Event) => {
    if (target instanceof Node && !box.contains(target) && !anchor.contains(target)) close();
  };
  box.showPopover();
  // Also where it grows.
  const size = new ResizeObserver(put);
  size.observe(box);
  put();
  document.addEventListener('pointerdown', pressed);
  addEventListener('scroll', put, { capture: true, passive: true });
  addEventListener('resize', put);
  return () => {
    size.disconnect();
    document.removeEventListener('pointerdown', pressed);
    removeEventListener('scroll', put, { capture: true });
    removeEventListener('resize', put);
    if (box.contains(document.activeElement) && opener instanceof HTMLElement) opener.focus();
  };
}

function place(box: HTMLElement, anchor: HTMLElement): void {
  const viewport = { width: innerWidth, height: innerHeight };
  const { left, top } = besideAnchor(anchor.getBoundingClientRect(), { width: box.offsetWidth, height: box.offsetHeight }, viewport);
  box.style.left = `${left}px`;
  box.style.top = `${top}px`;
}
