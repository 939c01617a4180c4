import { useEffect } from 'preact/hooks';
import type { ChannelStore } from '../state/channel-store.ts';
import { isMuted, learnMute, toggleMute } from '../state/mutes.ts';
import { IconButton } from './IconButton.tsx';

/** Whether the open channel notifies of anything but mentions. */
export function MuteButton({ store: { id } }: { store: ChannelStore }) {
  useEffect(() => void learnMute(id), [id]);
  const muted = isMuted(id);
  return <IconButton icon={muted ? 'bellOff' : 'bell'} label={muted ? 'Unmute channel' : 'Mute channel'} onClick={() => void toggleMute(id)} />;
}
