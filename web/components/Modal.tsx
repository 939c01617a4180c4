import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { keepFocusInside } from './focus.ts';
import { IconButton } from './IconButton.tsx';

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** A modal dialog: keeps the focus inside, ends on Escape and on a press beside it, and gives the focus back however it ends. */
export function Modal({ title, onClose, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useLayoutEffect(() => {
    const shown = ref.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  // A dialog that was taken away is closed once more, when another may be open already.
  const closed = () => ref.current && onClose();
  const closeFromBackdrop = (event: MouseEvent) => event.target === ref.current && ref.current?.close();
  return (
    <dialog ref={ref} class="modal" aria-labelledby={titleId} onClose={closed} onKeyDown={keepFocusInside} onMouseDown={closeFromBackdrop}>
      <div class="modal-body">
        <header class="modal-head">
          <h2 id={titleId}>{title}</h2>
          <IconButton icon="close" label="Close" onClick={() => ref.current?.close()} />
        </header>
        {children}
      </div>
    </dialog>
  );
}
