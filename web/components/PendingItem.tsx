import type { OutboxEntry } from '../../client/outbox.ts';
import { me } from '../state/account.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { timeOf } from '../state/dates.ts';
import { Avatar } from './Avatar.tsx';
import { RichText } from './RichText.tsx';

interface Props {
  readonly rowKey: string;
  readonly entry: OutboxEntry;
  readonly isGrouped: boolean;
  readonly store: ChannelStore;
}

/** One's own message on its way. */
export function PendingItem({ rowKey, entry, isGrouped, store }: Props) {
  const user = me.value;
  return (
    <article class={`message pending ${isGrouped ? 'grouped' : ''} ${entry.state}`} data-key={rowKey} aria-label={`You, ${labels[entry.state]}`}>
      <div class="gutter">{!isGrouped && user && <Avatar name={user.display_name} colourKey={user.id} />}</div>
      <div class="content">
        {!isGrouped && (
          <div class="heading">
            <span class="author" title={user?.display_name}>{user?.display_name}</span>
            <span class="time">{timeOf(entry.queued_at)}</span>
          </div>
        )}
        <div class="text" dir="auto">
          <RichText text={entry.text} />
        </div>
        {entry.state === 'failed' && (
          <div class="send-failure" role="alert">
            <span>Not sent: {entry.reason}</span>
            <button type="button" class="button small" onClick={() => store.session.retry(entry.client_msg_id)}>
              Retry
            </button>
            <button type="button" class="button small" onClick={() => store.session.discard(entry.client_msg_id)}>
              Discard
            </button>
          </div>
        )}
      </div>
    </article>
  );
}

const labels = { queued: 'waiting', sending: 'being sent', sent: 'sent', failed: 'not sent' } as const;
