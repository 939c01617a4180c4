import type { OutboxEntry } from '../../client/outbox.ts';
import { me } from '../state/account.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { timeOf } from '../state/dates.ts';
import { Avatar } from './Avatar.tsx';
import { Icon } from './Icon.tsx';
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
  const state = entry.state === 'sending' && store.connection.value.name !== 'open' ? 'queued' : entry.state;
  return (
    <article class={`message pending ${isGrouped ? 'grouped' : ''} ${state}`} data-key={rowKey} aria-label={`You, ${inWords(state)}`}>
      <div class="gutter">{!isGrouped && user && <Avatar name={user.display_name} colourKey={user.id} picture={user.avatar} />}</div>
      <div class="content">
        {!isGrouped && (
          <div class="heading">
            <span class="author" title={user?.display_name}>{user?.display_name}</span>
            <span class="time">{timeOf(entry.queued_at)}</span>
          </div>
        )}
        <div class="text" dir="auto">
          <RichText text={entry.text} />
          {(state === 'queued' || state === 'sending') && (
            <span class="send-state" title={inWords(state)}>
              <Icon name="clock" />
            </span>
          )}
        </div>
        {state === 'failed' && (
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

const inWords = (state: OutboxEntry['state']): string => ({ queued: 'waiting to be sent', sending: 'being sent', sent: 'sent', failed: 'not sent' })[state];
