import { useEffect, useRef } from 'preact/hooks';
import type { ChannelStore } from '../state/channel-store.ts';
import { attempt } from '../state/notices.ts';
import { closePanel } from '../state/side-panel.ts';
import { IconButton } from './IconButton.tsx';
import { MessageHit } from './MessageHit.tsx';
import { useFocusInside } from './use-focus-inside.ts';

/** What is pinned to the open channel, what was pinned last first. */
export function PinsPanel({ store }: { store: ChannelStore }) {
  const ref = useRef<HTMLElement>(null);
  useFocusInside(ref);
  useEffect(() => {
    void store.pins.open();
    return () => store.pins.close();
  }, [store]);
  return (
    <aside ref={ref} class="panel" aria-label="Pinned messages" tabIndex={-1}>
      <header class="bar">
        <div class="bar-title">
          <h2>Pinned</h2>
          <p class="topic">{store.title}</p>
        </div>
        <IconButton icon="close" label="Close pinned messages" onClick={closePanel} />
      </header>
      <div class="results">
        <List store={store} />
      </div>
    </aside>
  );
}

function List({ store }: { store: ChannelStore }) {
  const { data, loading } = store.pins;
  if (loading.value.name === 'failed') return <p class="hint" role="alert">{loading.value.reason}</p>;
  if (data.value.length === 0 && loading.value.name === 'loading') return <div class="spinner" role="status" aria-label="Loading" />;
  if (data.value.length === 0) return <p class="hint">What everybody here should have at hand can be pinned.</p>;
  return (
    <ul>
      {data.value.map((message) => (
        <MessageHit key={message.id} message={message} isPlaced={false} remove={{ label: 'Unpin', run: () => void attempt('unpin it', () => store.session.unpin(message.id)) }} />
      ))}
    </ul>
  );
}
