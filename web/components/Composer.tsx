import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { MAX_MESSAGE_FILES, MAX_TEXT } from '../../protocol/limits.ts';
import { me } from '../state/account.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { notify } from '../state/notices.ts';
import { reasonOf } from '../state/reason.ts';
import { IconButton } from './IconButton.tsx';
import { MentionList } from './MentionList.tsx';
import { SendLater } from './SendLater.tsx';
import { fitHeight, isPlainEnter } from './textarea.ts';
import { UploadList } from './UploadList.tsx';
import { useMentions } from './use-mentions.ts';

interface Props {
  readonly store: ChannelStore;
  readonly rootId: string | null;
  readonly placeholder: string;
  readonly autoFocus?: boolean;
}

const WAIT_FOR_FILES = 'Wait until the files are uploaded, or remove them.';

/** Where messages are written: Enter sends, Shift+Enter breaks the line, ArrowUp in an empty field edits the last own message. */
export function Composer({ store, rootId, placeholder, autoFocus = matchMedia('(pointer: fine)').matches }: Props) {
  const ref = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const uploads = store.uploadsOf(rootId);
  const draft = store.draftOf(rootId);
  const text = draft.text.value;
  useLayoutEffect(() => fitHeight(ref.current), [text]);
  useEffect(() => (autoFocus ? ref.current?.focus() : undefined), []);

  const write = (value: string) => draft.write(value);
  const mentions = useMentions(ref, store, write);
  const isLater = useSignal(false);
  const later = useRef<HTMLSpanElement>(null);
  const { files } = uploads;
  // A message needs words: without any, its files are named.
  const words = text.trim() || files.map(({ name }) => name).join(', ');
  const isFit = words !== '' && text.length <= MAX_TEXT;
  const gone = () => {
    write('');
    uploads.clear();
    mentions.choice.close();
  };
  const send = () => {
    if (!isFit) return;
    if (uploads.isRunning) return notify(WAIT_FOR_FILES);
    try {
      store.send(words, rootId, files.map(({ id }) => id));
      gone();
    } catch (error) {
      notify(reasonOf(error));
    }
    ref.current?.focus();
  };
  const scheduled = () => {
    isLater.value = false;
    // What was written meanwhile is another message.
    if (draft.text.peek() === text) gone();
    ref.current?.focus();
  };
  const attach = (chosen: readonly File[]) => {
    const room = MAX_MESSAGE_FILES - uploads.all.peek().length;
    if (chosen.length > room) notify(`A message takes ${MAX_MESSAGE_FILES} files.`);
    for (const one of chosen.slice(0, room)) uploads.start(one);
  };
  const handleKey = (event: KeyboardEvent) => {
    if (mentions.handleKey(event)) {
      event.preventDefault();
    } else if (isPlainEnter(event)) {
      event.preventDefault();
      send();
    } else if (event.key === 'ArrowUp' && text === '') {
      const last = lastOwn(store, rootId);
      if (last !== null) event.preventDefault();
      store.editing.value = last;
    }
  };
  const left = MAX_TEXT - text.length;
  return (
    <>
      <form
        class="composer"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <UploadList uploads={uploads} />
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          onChange={({ currentTarget }) => {
            attach([...(currentTarget.files ?? [])]);
            currentTarget.value = '';
          }}
        />
        <IconButton icon="attach" label="Attach files" class="attach" onClick={() => picker.current?.click()} />
        <MentionList id={mentions.id} choice={mentions.choice} onTake={mentions.take} />
        <textarea
          ref={ref}
          rows={1}
          value={text}
          placeholder={placeholder}
          aria-label={placeholder}
          enterkeyhint="send"
          onInput={(event) => {
            write(event.currentTarget.value);
            mentions.look();
            if (event.currentTarget.value !== '') store.session.typed(rootId);
          }}
          onKeyDown={handleKey}
          onClick={mentions.look}
          onBlur={() => mentions.choice.close()}
          aria-autocomplete="list"
          {...mentions.described}
        />
        {left < 500 && (
          <span class={`count ${left < 0 ? 'over' : ''}`} role="status">
            {left}
          </span>
        )}
        <span ref={later} class="later">
          <IconButton icon="clock" label="Send later" expanded={isLater.value} onClick={() => (isLater.value = !isLater.value)} />
        </span>
        <IconButton icon="send" label="Send" class="send" onClick={send} />
      </form>
      {isLater.value && (
        <SendLater
          anchor={later}
          channelId={store.id}
          content={isFit ? { text: words, ...(rootId !== null && { thread_id: rootId }), ...(files.length > 0 && { file_ids: files.map(({ id }) => id) }) } : null}
          obstacle={uploads.isRunning ? WAIT_FOR_FILES : null}
          onScheduled={scheduled}
          onClose={() => (isLater.value = false)}
        />
      )}
    </>
  );
}

function lastOwn(store: ChannelStore, rootId: string | null): string | null {
  const { history, threads, messages } = store.state.peek();
  const ids = (rootId === null ? history : threads.get(rootId))?.ids ?? [];
  const isOwn = (id: string) => {
    const message = messages.get(id)?.message;
    return message?.author_id === me.peek()?.id && message?.deleted_at === null && message.origin === null;
  };
  return ids.findLast(isOwn) ?? null;
}
