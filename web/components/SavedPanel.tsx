import { moreSaved, saved, savedLoading, toggleSaved } from '../state/saved.ts';
import { ListPanel } from './ListPanel.tsx';
import { MessageHit } from './MessageHit.tsx';

/** What the user has saved for later, what was saved last first. Nobody else knows of it. */
export function SavedPanel() {
  const { data, cursor } = saved.value;
  return (
    <ListPanel label="Saved messages" title="Saved for later" loading={savedLoading.value} isEmpty={data.length === 0} hint="Messages that you save will be here. Nobody else sees them.">
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
    </ListPanel>
  );
}
