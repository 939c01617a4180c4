import { me } from '../state/account.ts';
import { push, togglePush } from '../state/push.ts';
import { IconButton } from './IconButton.tsx';

/** Whether this browser shows notifications while the page is closed; nothing where it cannot. */
export function PushButton() {
  const [state, user] = [push.value, me.value];
  if (state === 'unavailable' || user === null) return null;
  const isOn = state === 'on';
  return <IconButton icon={isOn ? 'bellOff' : 'bell'} label={isOn ? 'Stop notifying me on this device' : 'Notify me on this device'} onClick={() => void togglePush(user.id)} />;
}
