import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { IconButton } from './IconButton.tsx';

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** A modal dialog; the platform keeps the focus inside, closes it on Escape and gives the focus back. */
export function Modal({ title, onClose, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useLayoutEffect(() => ref.current?.showModal(), []);
  const closeFromBackdrop = (event: MouseEvent) => event.target === ref.current && ref.current?.close();
  return (
    <dialog ref={ref} class="modal" aria-labelledby={titleId} onClose={onClose} onClick={closeFromBackdrop}>
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
