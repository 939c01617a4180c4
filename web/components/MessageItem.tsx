import type { ComponentChildren } from 'preact';
import type { Message } from '../../protocol/api.ts';
import { me } from '../state/account.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { fullTime, shortDay, timeOf } from '../state/dates.ts';
import { mentions } from '../state/mentions.ts';
import { openThread } from '../state/navigation.ts';
import { activeRow } from '../state/active-row.ts';
import { authorKey, dayOf, saidAt } from '../state/rows.ts';
import { displayName, pictureOf } from '../state/users.ts';
import { Attachments } from './Attachments.tsx';
import { Avatar } from './Avatar.tsx';
import { EditForm } from './EditForm.tsx';
import { Icon } from './Icon.tsx';
import { MessageActions } from './MessageActions.tsx';
import { PresenceText } from './PresenceText.tsx';
import { Previews } from './Previews.tsx';
import { Reactions } from './Reactions.tsx';
import { RichText } from './RichText.tsx';
import { StatusLine } from './StatusLine.tsx';

interface Props {
  readonly rowKey: string;
  readonly message: Message;
  readonly isGrouped: boolean;
  readonly isInThread: boolean;
  /** Whether Tab stops here; arrow keys go on to the others. */
  readonly isTabStop: boolean;
  readonly store: ChannelStore;
}

export function MessageItem({ rowKey, message, isGrouped, isInThread, isTabStop, store }: Props) {
  const activate = () => (activeRow.value = `${isInThread} ${message.id}`);
  const isEditing = store.editing.value === message.id;
  const name = authorName(message);
  return (
    <article
      class={`message ${isGrouped ? 'grouped' : ''} ${isEditing ? 'editing' : ''} ${namesMe(message) ? 'names-me' : ''}`}
      tabIndex={isTabStop ? 0 : -1}
      data-key={rowKey}
      data-message={message.id}
      aria-label={`${name}, ${fullTime(saidAt(message))}`}
      onPointerEnter={(event) => event.pointerType === 'mouse' && activate()}
      onFocusIn={activate}
      onClick={activate}
    >
      <MessageFrame store={store} message={message} name={name} isGrouped={isGrouped}>
        {message.pinned && <Pinned by={message.pinned.by} />}
        {isEditing ? <EditForm store={store} message={message} /> : <Body message={message} />}
        {message.deleted_at === null && <Attachments message={message} />}
        {!isEditing && message.deleted_at === null && <Previews store={store} message={message} />}
        {message.deleted_at === null && message.reactions.length > 0 && <Reactions store={store} message={message} />}
        {!isInThread && message.reply_count > 0 && <ReplyCount message={message} />}
      </MessageFrame>
      {!isEditing && message.deleted_at === null && <MessageActions store={store} message={message} isInThread={isInThread} />}
    </article>
  );
}

interface FrameProps {
  readonly store: ChannelStore;
  readonly message: Message;
  readonly name: string;
  readonly isGrouped: boolean;
  readonly children: ComponentChildren;
}

function MessageFrame({ store, message, name, isGrouped, children }: FrameProps) {
  const at = saidAt(message);
  const author = message.origin ? undefined : store.presence.value.users?.get(message.author_id);
  const time = (
    <time class="time" dateTime={new Date(at).toISOString()} title={fullTime(at)}>
      {timeOf(at)}
    </time>
  );
  return (
    <>
      <div class="gutter">{isGrouped ? time : <Avatar name={name} colourKey={authorKey(message)} picture={message.origin ? null : pictureOf(message.author_id)} presence={author?.state} />}</div>
      <div class="content">
        {!isGrouped && (
          <div class="heading">
            <span class="author" title={name}>{name}</span>
            <PresenceText state={author?.state} />
            <StatusLine status={author?.status} isShort />
            {message.origin && <Imported message={message} source={message.origin.source} />}
            {time}
          </div>
        )}
        {children}
      </div>
    </>
  );
}

function Pinned({ by }: { by: string }) {
  return (
    <p class="pinned-by">
      <Icon name="pin" /> Pinned by <bdi class="ellipsis">{by === me.value?.id ? 'you' : displayName(by)}</bdi>
    </p>
  );
}

function Imported({ message, source }: { message: Message; source: string }) {
  const created = Date.parse(message.created_at);
  const day = dayOf(created) === dayOf(saidAt(message)) ? '' : ` on ${shortDay(created)}`;
  return (
    <span class="tag" title={`Imported from ${source}${day} by ${displayName(message.author_id)}`}>
      imported
    </span>
  );
}

function Body({ message }: { message: Message }) {
  if (message.deleted_at !== null) return <p class="text gone">{message.removed_by_moderator ? 'This message was removed by a moderator.' : 'This message was deleted.'}</p>;
  return (
    <div class="text" dir="auto">
      <RichText text={message.text} />
      {message.edited_at !== null && (
        <span class="edited" title={fullTime(Date.parse(message.edited_at))}>
          {' '}
          (edited)
        </span>
      )}
    </div>
  );
}

function ReplyCount({ message }: { message: Message }) {
  return (
    <button type="button" class="reply-count" onClick={() => openThread(message.channel_id, message.id)}>
      <Icon name="reply" />
      {message.reply_count === 1 ? '1 reply' : `${message.reply_count} replies`}
    </button>
  );
}

function namesMe({ text, author_id }: Message): boolean {
  const user = me.value;
  return user !== null && author_id !== user.id && mentions(text, user.handle);
}

function authorName(message: Message): string {
  return message.origin?.author ?? displayName(message.author_id);
}
