import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import type { Loading } from '../state/loading.ts';
import { closePanel } from '../state/side-panel.ts';
import { IconButton } from './IconButton.tsx';
import { useFocusInside } from './use-focus-inside.ts';

interface Props {
  /** What assistive technology calls it. */
  readonly label: string;
  readonly title: string;
  readonly topic?: string;
  readonly loading: Loading;
  /** In place of a list that has nothing in it. */
  readonly hint: string;
  readonly isEmpty: boolean;
  /** Buttons of its bar, before the one that closes it. */
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A list beside the channel. What is listed stays while it is read again. */
export function ListPanel({ label, title, topic, tools, ...list }: Props) {
  const ref = useRef<HTMLElement>(null);
  useFocusInside(ref);
  return (
    <aside ref={ref} class="panel" aria-label={label} tabIndex={-1}>
      <header class="bar">
        <div class="bar-title">
          <h2>{title}</h2>
          {topic !== undefined && <p class="topic">{topic}</p>}
        </div>
        {tools}
        <IconButton icon="close" label={`Close ${label.toLowerCase()}`} onClick={closePanel} />
      </header>
      <div class="results">
        <List {...list} />
      </div>
    </aside>
  );
}

function List({ loading, isEmpty, hint, children }: Pick<Props, 'loading' | 'isEmpty' | 'hint' | 'children'>) {
  if (loading.name === 'failed') return <p class="hint" role="alert">{loading.reason}</p>;
  if (isEmpty && loading.name === 'loading') return <div class="spinner" role="status" aria-label="Loading" />;
  return isEmpty ? <p class="hint">{hint}</p> : <>{children}</>;
}
