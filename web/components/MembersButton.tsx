import type { ChannelStore } from '../state/channel-store.ts';
import { closePanel, isShown, openPanel } from '../state/side-panel.ts';
import { Icon } from './Icon.tsx';

/** How many are here; shows who. */
export function MembersButton({ store }: { store: ChannelStore }) {
  const { present } = store.presence.value;
  const isOpen = isShown('members');
  return (
    <button
      type="button"
      class="icon-button with-count"
      aria-expanded={isOpen}
      aria-label={present > 0 ? `Members, ${present} here` : 'Members'}
      title="Members"
      onClick={() => (isOpen ? closePanel() : openPanel('members'))}
    >
      <Icon name="people" />
      {present > 0 && <span class="present">{present}</span>}
    </button>
  );
}
