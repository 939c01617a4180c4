import { useEffect } from 'preact/hooks';
import type { ChannelStore } from '../state/channel-store.ts';
import { attempt } from '../state/notices.ts';
import { ListPanel } from './ListPanel.tsx';
import { MessageHit } from './MessageHit.tsx';

/** What is pinned to the open channel, what was pinned last first. */
export function PinsPanel({ store }: { store: ChannelStore }) {
  useEffect(() => {
    void store.pins.open();
    return () => store.pins.close();
  }, [store]);
  const { data, loading } = store.pins;
  return (
    <ListPanel
      label="Pinned messages"
      title="Pinned"
      topic={store.title.value}
      loading={loading.value}
      isEmpty={data.value.length === 0}
      hint="What everybody here should have at hand can be pinned."
    >
      <ul>
        {data.value.map((message) => (
          <MessageHit key={message.id} message={message} isPlaced={false} remove={{ label: 'Unpin', run: () => void attempt('unpin it', () => store.session.unpin(message.id)) }} />
        ))}
      </ul>
    </ListPanel>
  );
}
