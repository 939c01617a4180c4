import { dialog, isMenuOpen } from '../state/navigation.ts';
import { ConnectionBanner } from './ConnectionBanner.tsx';
import { IconButton } from './IconButton.tsx';

/** What a member of no channel sees. */
export function Welcome() {
  return (
    <main class="channel">
      <header class="bar">
        <IconButton icon="menu" label="Channels" class="menu-button" onClick={() => (isMenuOpen.value = true)} />
      </header>
      <ConnectionBanner />
      <div class="empty">
        <h1>Welcome to Colink</h1>
        <p>You are in no channel yet.</p>
        <div class="button-row">
          <button class="button primary" onClick={() => (dialog.value = 'browse')}>
            Browse channels
          </button>
          <button class="button" onClick={() => (dialog.value = 'create')}>
            Create a channel
          </button>
        </div>
      </div>
    </main>
  );
}
