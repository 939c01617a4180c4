import { useComputed, useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Message } from '../../protocol/api.ts';
import { me } from '../state/account.ts';
import { activeRow } from '../state/active-row.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { confirmation } from '../state/confirmation.ts';
import { openThread } from '../state/navigation.ts';
import { attempt } from '../state/notices.ts';
import { pathOf } from '../state/path.ts';
import { reporting } from '../state/reporting.ts';
import { isSaved, toggleSaved } from '../state/saved.ts';
import { EmojiPicker } from './EmojiPicker.tsx';
import { IconButton } from './IconButton.tsx';

interface Props {
  readonly store: ChannelStore;
  readonly message: Message;
  readonly isInThread: boolean;
}

/** What can be done with a message, shown on the one under the mouse or with the focus. */
export function MessageActions({ store, message, isInThread }: Props) {
  const isActive = useComputed(() => activeRow.value === `${isInThread} ${message.id}`);
  const isPicking = useSignal(false);
  const ref = useRef<HTMLDivElement>(null);
  if (!isActive.value) return null;
  const saved = isSaved(message.id);
  const isMine = message.author_id === me.value?.id && message.origin === null;
  const react = (emoji: string) => {
    isPicking.value = false;
    void attempt('add the reaction', () => store.session.react(message.id, emoji));
  };
  return (
    <div class="actions-anchor">
      <div ref={ref} class="actions" role="toolbar" aria-label="Message actions">
        <IconButton icon="smile" label="Add a reaction" expanded={isPicking.value} onClick={() => (isPicking.value = !isPicking.value)} />
        {!isInThread && <IconButton icon="reply" label="Reply in thread" onClick={() => openThread(store.id, message.id)} />}
        {message.pos !== null && <IconButton icon="bell" label="Mark as unread" onClick={() => void attempt('mark it as unread', () => store.markUnread(message.pos ?? 1))} />}
        <IconButton icon={saved ? 'bookmarked' : 'bookmark'} label={saved ? 'Remove from saved' : 'Save for later'} onClick={() => void toggleSaved(message.id)} />
        <IconButton icon="pin" label={message.pinned ? 'Unpin' : 'Pin to the channel'} onClick={() => togglePin(store, message)} />
        <IconButton icon="link" label="Copy a link" onClick={() => void copyLink(store, message)} />
        {message.author_id !== me.value?.id && <IconButton icon="flag" label="Report to moderators" onClick={() => (reporting.value = message)} />}
        {isMine && <IconButton icon="edit" label="Edit" onClick={() => (store.editing.value = message.id)} />}
        {isMine && <IconButton icon="trash" label="Delete" onClick={() => askToDelete(store, message)} />}
      </div>
      {isPicking.value && <EmojiPicker anchor={ref} onPick={react} onClose={() => (isPicking.value = false)} />}
    </div>
  );
}

const togglePin = ({ session }: ChannelStore, { id, pinned }: Message): void =>
  void (pinned ? attempt('unpin the message', () => session.unpin(id)) : attempt('pin the message', () => session.pin(id)));

const copyLink = (store: ChannelStore, { id, thread_id: threadId }: Message): Promise<boolean> =>
  attempt('copy the link', () => navigator.clipboard.writeText(new URL(pathOf({ channelId: store.id, threadId, messageId: id }), location.origin).href));

function askToDelete(store: ChannelStore, message: Message): void {
  confirmation.value = {
    title: 'Delete this message?',
    text: message.text.length > 200 ? `${message.text.slice(0, 200)}…` : message.text,
    action: 'Delete',
    confirmed: () => void attempt('delete the message', () => store.session.remove(message.id)),
  };
}
