import { signal } from '@preact/signals';
import { navigate, place } from './location.ts';

export type SidePanel = 'search' | 'members' | 'notifications' | 'pins' | 'saved' | 'scheduled';

/** What stands beside the messages where no thread is open. */
export const sidePanel = signal<SidePanel | null>(null);

/** Opens a panel in place of a thread. */
export function openPanel(panel: SidePanel): void {
  sidePanel.value = panel;
  navigate({ channelId: place.peek().channelId, threadId: null });
}

export const closePanel = (): void => void (sidePanel.value = null);

/** Whether a panel is in view. */
export const isShown = (panel: SidePanel): boolean => sidePanel.value === panel && place.value.threadId === null;
