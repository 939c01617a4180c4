import { useLayoutEffect, useRef } from 'preact/hooks';
import type { ChannelStore } from '../state/channel-store.ts';
import { closeThread } from '../state/navigation.ts';
import { Composer } from './Composer.tsx';
import { IconButton } from './IconButton.tsx';
import { MessageItem } from './MessageItem.tsx';
import { MessageList } from './MessageList.tsx';
import { TypingLine } from './TypingLine.tsx';

export function ThreadPanel({ store, rootId }: { store: ChannelStore; rootId: string }) {
  const root = store.message(rootId);
  const ref = useRef<HTMLElement>(null);
  // The button that opened it is away by then: the focus goes back to its message.
  useLayoutEffect(() => {
    const panel = ref.current;
    return () => {
      if (panel?.contains(document.activeElement)) document.querySelector<HTMLElement>(`.channel [data-message="${rootId}"]`)?.focus();
    };
  }, []);
  return (
    <aside ref={ref} class="panel" aria-label="Thread">
      <header class="bar">
        <div class="bar-title">
          <h2>Thread</h2>
          <p class="topic">{store.title}</p>
        </div>
        <IconButton icon="close" label="Close thread" onClick={closeThread} />
      </header>
      {root && (
        <div class="thread-root">
          <MessageItem rowKey="root" message={root} isGrouped={false} isInThread isTabStop store={store} />
          <p class="thread-count">{root.reply_count === 1 ? '1 reply' : `${root.reply_count} replies`}</p>
        </div>
      )}
      <MessageList store={store} rootId={rootId} />
      <TypingLine store={store} rootId={rootId} />
      {store.info.value.archived_at === null && <Composer store={store} rootId={rootId} placeholder="Reply…" />}
    </aside>
  );
}
