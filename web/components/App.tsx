import { useEffect } from 'preact/hooks';
import { account, openStore, refresh } from '../state/account.ts';
import { announcements } from '../state/announcements.ts';
import { confirmation } from '../state/confirmation.ts';
import { place } from '../state/location.ts';
import { closeTop, dialog } from '../state/navigation.ts';
import { reporting } from '../state/reporting.ts';
import { openSearch } from '../state/search.ts';
import { isShown } from '../state/side-panel.ts';
import { BrowseDialog } from './BrowseDialog.tsx';
import { ChannelView } from './ChannelView.tsx';
import { CreateDialog } from './CreateDialog.tsx';
import { ConfirmDialog } from './ConfirmDialog.tsx';
import { MembersPanel } from './MembersPanel.tsx';
import { Notices } from './Notices.tsx';
import { NotificationsPanel } from './NotificationsPanel.tsx';
import { PeopleDialog } from './PeopleDialog.tsx';
import { PinsPanel } from './PinsPanel.tsx';
import { ReportDialog } from './ReportDialog.tsx';
import { SavedPanel } from './SavedPanel.tsx';
import { ScheduledPanel } from './ScheduledPanel.tsx';
import { SearchPanel } from './SearchPanel.tsx';
import { SettingsDialog } from './SettingsDialog.tsx';
import { Sidebar } from './Sidebar.tsx';
import { SignIn } from './SignIn.tsx';
import { StatusDialog } from './StatusDialog.tsx';
import { ThreadPanel } from './ThreadPanel.tsx';
import { Welcome } from './Welcome.tsx';

export function App() {
  useEffect(() => {
    addEventListener('keydown', handleKey);
    return () => removeEventListener('keydown', handleKey);
  }, []);
  const { value } = account;
  if (value.phase === 'loading') return <div class="splash" role="status" aria-label="Loading" />;
  if (value.phase === 'signed_out') return <SignIn isUnasked={value.isUnasked} />;
  if (value.phase === 'failed') return <Unreachable reason={value.reason} />;
  return <Workspace />;
}

function Workspace() {
  useEffect(() => closeDialogs, []);
  const store = openStore.value;
  const { threadId } = place.value;
  return (
    <div class="workspace">
      <Sidebar />
      {store ? <ChannelView key={store.id} store={store} /> : <Welcome />}
      {store && threadId !== null && <ThreadPanel key={threadId} store={store} rootId={threadId} />}
      {isShown('search') && <SearchPanel />}
      {isShown('notifications') && <NotificationsPanel />}
      {isShown('saved') && <SavedPanel />}
      {isShown('scheduled') && <ScheduledPanel />}
      {store && isShown('pins') && <PinsPanel key={`pins ${store.id}`} store={store} />}
      {store && isShown('members') && <MembersPanel key={`members ${store.id}`} store={store} />}
      {dialog.value === 'browse' && <BrowseDialog />}
      {dialog.value === 'create' && <CreateDialog />}
      {dialog.value === 'people' && <PeopleDialog />}
      {dialog.value === 'settings' && <SettingsDialog />}
      {dialog.value === 'status' && <StatusDialog />}
      <ReportDialog />
      <ConfirmDialog />
      <Notices />
      <div class="visually-hidden" role="log" aria-live="polite" aria-label="New messages">
        {announcements.value.map(({ id, text }) => (
          <p key={id}>{text}</p>
        ))}
      </div>
    </div>
  );
}

/** Who signs in next does not see what the one before had open. */
function closeDialogs(): void {
  dialog.value = null;
  confirmation.value = null;
  reporting.value = null;
}

function Unreachable({ reason }: { reason: string }) {
  return (
    <main class="splash">
      <h1>Colink cannot be reached</h1>
      <p>{reason}</p>
      <button class="button primary" onClick={() => void refresh()}>
        Try again
      </button>
    </main>
  );
}

function handleKey(event: KeyboardEvent): void {
  if (event.defaultPrevented) return;
  if (event.key === 'k' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    openSearch();
  }
  if (event.key === 'Escape' && document.querySelector('dialog[open]') === null) closeTop();
}
