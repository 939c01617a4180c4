import { useEffect, useRef } from 'preact/hooks';
import { NOBODY } from '../../client/presence.ts';
import { me } from '../state/account.ts';
import { askForKind, offeredKind } from '../state/channel-kind.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { askToLeave } from '../state/leaving.ts';
import { startDirect } from '../state/directs.ts';
import { type ListedMember, type MemberGroup, groupMembers } from '../state/member-groups.ts';
import { MAX_LISTED } from '../state/member-list.ts';
import { attempt } from '../state/notices.ts';
import { closePanel } from '../state/side-panel.ts';
import { displayName, pictureOf, user } from '../state/users.ts';
import { Avatar } from './Avatar.tsx';
import { Icon } from './Icon.tsx';
import { IconButton } from './IconButton.tsx';
import { PresenceText } from './PresenceText.tsx';
import { StatusLine } from './StatusLine.tsx';
import { useFocusInside } from './use-focus-inside.ts';

/** Who is in the open channel, and who of them is here. */
export function MembersPanel({ store }: { store: ChannelStore }) {
  const { members } = store;
  const ref = useRef<HTMLElement>(null);
  const isUnread = members.cursor.value === undefined;
  useFocusInside(ref);
  useEffect(() => void (isUnread && members.open()), [isUnread]);
  return (
    <aside ref={ref} class="panel" aria-label="Members" tabIndex={-1}>
      <header class="bar">
        <div class="bar-title">
          <h2>Members</h2>
          <p class="topic">{store.title}</p>
        </div>
        <IconButton icon="close" label="Close members" onClick={closePanel} />
      </header>
      <div class="members">
        <Lists store={store} />
        <Reading store={store} />
      </div>
      {store.people === null && (
        <footer class="panel-foot">
          <KindButton store={store} />
          <button type="button" class="button quiet" onClick={() => askToLeave(store)}>
            <Icon name="leave" />
            Leave channel
          </button>
        </footer>
      )}
    </aside>
  );
}

function KindButton({ store }: { store: ChannelStore }) {
  const kind = offeredKind(store);
  if (kind === null) return null;
  return (
    <button type="button" class="button quiet" onClick={() => askForKind(store, kind)}>
      <Icon name={kind === 'private' ? 'lock' : 'compass'} />
      Make {kind}
    </button>
  );
}

function Lists({ store }: { store: ChannelStore }) {
  const { users, present } = store.presence.value;
  // Until the first word of it, nobody is known to be here, nor to be offline.
  const isTold = store.presence.value !== NOBODY;
  const groups = groupMembers(store.members.roles.value, displayName, isTold ? users : null);
  return (
    <>
      {users === null && (
        <p class="hint" role="status">
          {present} here now. A channel this large shows how many are here, not who.
        </p>
      )}
      {groups.map((group) => (
        <Group key={group.title} group={group} isWhole={store.members.cursor.value === null} />
      ))}
    </>
  );
}

function Group({ group: { title, members }, isWhole }: { group: MemberGroup; isWhole: boolean }) {
  return (
    <section aria-label={title}>
      <h3>
        {title} {isWhole && <span class="group-count">{members.length}</span>}
      </h3>
      <ul>
        {members.map((member) => (
          <Listed key={member.id} member={member} />
        ))}
      </ul>
    </section>
  );
}

function Listed({ member: { id, name, role, state, status } }: { member: ListedMember }) {
  const handle = user(id).value?.handle;
  return (
    <li class={`member ${state ?? ''}`} title={handle && `@${handle}`}>
      <Avatar name={name} colourKey={id} picture={pictureOf(id)} presence={state ?? undefined} />
      <div class="member-text">
        <p class="member-name">
          <span class="ellipsis">{name}</span>
          <PresenceText state={state} />
          {id === me.value?.id && <span class="tag">you</span>}
          {role !== 'member' && <span class="tag">{role}</span>}
        </p>
        <StatusLine status={status} />
      </div>
      {id !== me.value?.id && <IconButton icon="reply" label={`Write to ${name}`} onClick={() => void attempt(`write to ${name}`, () => startDirect([id]))} />}
    </li>
  );
}

function Reading({ store: { members } }: { store: ChannelStore }) {
  const loading = members.loading.value;
  if (loading.name === 'loading') return <div class="spinner" role="status" aria-label="Loading members" />;
  if (loading.name === 'failed') return <Failed reason={loading.reason} retry={() => void (members.cursor.peek() === undefined ? members.open() : members.more())} />;
  if (!members.cursor.value) return null;
  if (members.roles.value.size >= MAX_LISTED) return <p class="hint">There are more members than can be listed here.</p>;
  return (
    <button type="button" class="button more" onClick={() => void members.more()}>
      Show more
    </button>
  );
}

function Failed({ reason, retry }: { reason: string; retry: () => void }) {
  return (
    <div class="hint" role="alert">
      <p>{reason}</p>
      <button type="button" class="button more" onClick={retry}>
        Try again
      </button>
    </div>
  );
}
