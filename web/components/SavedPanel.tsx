import { useRef } from 'preact/hooks';
import { moreSaved, saved, savedLoading, toggleSaved } from '../state/saved.ts';
import { closePanel } from '../state/side-panel.ts';
import { IconButton } from './IconButton.tsx';
import { MessageHit } from './MessageHit.tsx';
import { useFocusInside } from './use-focus-inside.ts';

/** What the user has saved for later, what was saved last first. Nobody else knows of it. */
export function SavedPanel() {
  const ref = useRef<HTMLElement>(null);
  useFocusInside(ref);
  return (
    <aside ref={ref} class="panel" aria-label="Saved messages" tabIndex={-1}>
      <header class="bar">
        <div class="bar-title">
          <h2>Saved for later</h2>
        </div>
        <IconButton icon="close" label="Close saved messages" onClick={closePanel} />
      </header>
      <div class="results">
        <List />
      </div>
    </aside>
  );
}

function List() {
  const { data, cursor } = saved.value;
  const loading = savedLoading.value;
  if (loading.name === 'failed') return <p class="hint" role="alert">{loading.reason}</p>;
  if (data.length === 0 && loading.name === 'loading') return <div class="spinner" role="status" aria-label="Loading" />;
  if (data.length === 0) return <p class="hint">Messages that you save will be here. Nobody else sees them.</p>;
  return (
    <>
      <ul>
        {data.map(({ message }) => (
          <MessageHit key={message.id} message={message} isPlaced remove={{ label: 'Remove from saved', run: () => void toggleSaved(message.id) }} />
        ))}
      </ul>
      {cursor !== null && (
        <button type="button" class="button more" onClick={() => void moreSaved()}>
          Show more
        </button>
      )}
    </>
  );
}
