import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Channel } from '../../protocol/api.ts';
import { refresh, stores } from '../state/account.ts';
import { dialog, openChannel } from '../state/navigation.ts';
import { attempt } from '../state/notices.ts';
import { api } from '../state/platform.ts';
import { Icon } from './Icon.tsx';
import { Modal } from './Modal.tsx';

export function BrowseDialog() {
  const channels = useSignal<readonly Channel[]>([]);
  const cursor = useSignal<string | null | undefined>(undefined);
  const filter = useSignal('');
  const more = () =>
    attempt('list the channels', async () => {
      const page = await api.channels(cursor.value ?? undefined);
      channels.value = [...channels.value, ...page.data];
      cursor.value = page.next_cursor;
    });
  useEffect(() => void more(), []);
  const wanted = filter.value.trim().toLowerCase();
  const shown = channels.value.filter(({ name, topic }) => `${name} ${topic}`.toLowerCase().includes(wanted));
  return (
    <Modal title="Channels" onClose={() => (dialog.value = null)}>
      <input type="search" class="field" autofocus placeholder="Filter" aria-label="Filter channels" onInput={(event) => (filter.value = event.currentTarget.value)} />
      <ul class="browse">
        {shown.map((channel) => (
          <Listed key={channel.id} channel={channel} />
        ))}
      </ul>
      {cursor.value === undefined && <div class="spinner" role="status" aria-label="Loading channels" />}
      {cursor.value !== undefined && shown.length === 0 && <p class="hint">No channel matches.</p>}
      {cursor.value && (
        <button type="button" class="button more" onClick={() => void more()}>
          Show more
        </button>
      )}
    </Modal>
  );
}

function Listed({ channel }: { channel: Channel }) {
  const isBusy = useSignal(false);
  const isJoined = stores.value.some(({ id }) => id === channel.id);
  const enter = async () => {
    isBusy.value = true;
    const joined = isJoined || (await attempt(`join #${channel.name}`, () => api.join(channel.id).then(refresh)));
    isBusy.value = false;
    if (!joined) return;
    dialog.value = null;
    openChannel(channel.id);
  };
  return (
    <li>
      <div class="browse-text">
        <strong class="ellipsis">
          {channel.kind === 'private' ? <Icon name="lock" /> : '#'}
          {channel.name}
        </strong>
        <span class="topic">{channel.archived_at === null ? channel.topic : 'Archived'}</span>
      </div>
      <button type="button" class={`button ${isJoined ? '' : 'primary'}`} disabled={isBusy.value} onClick={() => void enter()}>
        {isJoined ? 'Open' : 'Join'}
      </button>
    </li>
  );
}
