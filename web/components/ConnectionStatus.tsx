import { reconnectNow, status } from '../state/connectivity.ts';

export function ConnectionStatus() {
  const { kind, text } = status.value;
  return (
    <button type="button" class={`status ${kind}`} title={kind === 'live' ? 'Messages arrive live' : 'Try now'} onClick={reconnectNow}>
      <span class="dot" aria-hidden="true" />
      <span>{text}</span>
    </button>
  );
}
