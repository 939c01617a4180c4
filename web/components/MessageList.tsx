import { useComputed } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { me } from '../state/account.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { dayLabel } from '../state/dates.ts';
import { isVisible } from '../state/connectivity.ts';
import { type Row, buildRows } from '../state/rows.ts';
import { Icon } from './Icon.tsx';
import { MessageItem } from './MessageItem.tsx';
import { PendingItem } from './PendingItem.tsx';
import { moveFocus } from './focus.ts';
import { useStableScroll } from './use-stable-scroll.ts';

/** A channel's history, or the replies of a thread: grows at both ends as it is scrolled, and stays where the reader is. */
export function MessageList({ store, rootId }: { store: ChannelStore; rootId: string | null }) {
  const ref = useRef<HTMLDivElement>(null);
  const rows = useComputed(() => rowsOf(store, rootId));
  const window = windowIn(store, rootId);
  const loading = (rootId === null ? store.historyLoading : store.threadLoading).value;
  const isAtPresent = window !== null && window.after === null;
  const scroll = useStableScroll(ref, {
    rows: rows.value,
    isAtPresent,
    target: rootId === null ? store.target.value : null,
    nearTop: () => void store.loadMore('older', rootId),
    nearBottom: () => void store.loadMore('newer', rootId),
  });

  const isReading = rootId === null && scroll.isAtEnd && isAtPresent && isVisible.value && !store.isHeldUnread.value;
  const isLive = store.connection.value.name === 'open';
  const lastPos = store.state.value.lastPos;
  useEffect(() => {
    if (rootId !== null) return;
    store.isReading.value = isReading;
    // Counters may come from elsewhere than the messages: what has not been shown for want of a connection is not read.
    if (isReading && isLive) store.session.markRead();
  }, [isReading, isLive, lastPos]);

  const toPresent = () => (rootId === null ? store.showEnd() : scroll.toEnd());
  const retry = () => {
    if (!window) return void (rootId === null ? store.loadLatest() : store.openThread(rootId));
    store.resumeLoading(rootId);
    scroll.look();
  };
  const tabStop = rows.value.findLast(({ kind }) => kind === 'message')?.key;
  return (
    <div class="list-frame">
      <div class="list-top">
        {loading.name === 'loading' && <div class="spinner" role="status" aria-label="Loading messages" />}
        {loading.name === 'failed' && <Failure reason={loading.reason} retry={retry} />}
        {rootId === null && loading.name === 'idle' && isNewAbove(store) && (
          <button type="button" class="pill" onClick={() => void store.jumpToNew()}>
            Go to the first new message
          </button>
        )}
      </div>
      <div ref={ref} class="list" role="feed" aria-busy={loading.name === 'loading'} aria-label={rootId === null ? 'Messages' : 'Replies'} onKeyDown={moveFocus}>
        {window?.before === null && rootId === null && <Beginning store={store} />}
        {rows.value.map((row) => (
          <RowView key={row.key} row={row} store={store} isInThread={rootId !== null} isTabStop={row.key === tabStop} />
        ))}
      </div>
      {(!scroll.isAtEnd || !isAtPresent) && rows.value.length > 0 && (
        <button type="button" class="pill to-present" onClick={toPresent}>
          <Icon name="down" />
          {rootId === null && store.unread.value > 0 ? `${store.unread.value} new` : 'Latest'}
        </button>
      )}
    </div>
  );
}

interface RowProps {
  readonly row: Row;
  readonly store: ChannelStore;
  readonly isInThread: boolean;
  readonly isTabStop: boolean;
}

function RowView({ row, store, isInThread, isTabStop }: RowProps) {
  switch (row.kind) {
    case 'day':
      return (
        <div class="day">
          <span>{dayLabel(row.at)}</span>
        </div>
      );
    case 'new':
      return (
        <div class="new-marker" role="separator">
          <span>New messages</span>
        </div>
      );
    case 'message':
      return <MessageItem rowKey={row.key} message={row.message} isGrouped={row.isGrouped} isInThread={isInThread} isTabStop={isTabStop} store={store} />;
    case 'pending':
      return <PendingItem rowKey={row.key} entry={row.entry} isGrouped={row.isGrouped} store={store} />;
  }
}

function Beginning({ store }: { store: ChannelStore }) {
  const { topic } = store.info.value;
  return (
    <div class="beginning">
      <h2>
        <bdi>{store.title}</bdi>
      </h2>
      <p>{topic === '' ? beginningOf(store) : topic}</p>
    </div>
  );
}

function beginningOf({ people }: ChannelStore): string {
  if (people === null) return 'This is where the channel begins.';
  return people.length === 0 ? 'What you write here, you alone can read.' : 'What is said here stays between you.';
}

function Failure({ reason, retry }: { reason: string; retry: () => void }) {
  return (
    <div class="failure" role="alert">
      <p>{reason}</p>
      <button type="button" class="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

/** Whether the first new message is older than what has been read. */
function isNewAbove(store: ChannelStore): boolean {
  const first = store.message(store.state.value.history?.ids[0] ?? '')?.pos ?? 0;
  return store.newAfter.value !== null && first > store.newAfter.value + 1;
}

function windowIn(store: ChannelStore, rootId: string | null) {
  const { history, threads } = store.state.value;
  return rootId === null ? history : (threads.get(rootId) ?? null);
}

function rowsOf(store: ChannelStore, rootId: string | null): Row[] {
  const window = windowIn(store, rootId);
  if (!window) return [];
  const messages = window.ids.flatMap((id) => store.message(id) ?? []);
  const pending = window.after === null ? store.outbox.value.filter(({ thread_id }) => thread_id === rootId) : [];
  return buildRows(messages, pending, me.value?.id ?? '', rootId === null ? store.newAfter.value : null);
}
