import { currentStatus } from '../../client/presence.ts';
import type { CustomStatus } from '../../protocol/presence.ts';
import { now } from '../state/clock.ts';

interface Props {
  readonly status: CustomStatus | null | undefined;
  /** The emoji stands for the text, where there is little room. */
  readonly isShort?: boolean;
}

/** A custom status, as long as it holds. */
export function StatusLine({ status, isShort = false }: Props) {
  const shown = status?.expires_at ? currentStatus(status, Math.max(now.value, Date.now())) : status;
  if (!shown) return null;
  const isTextHidden = isShort && shown.emoji !== null;
  return (
    <span class="custom-status" title={shown.text}>
      {shown.emoji !== null && <span aria-hidden="true">{shown.emoji}</span>}
      {shown.emoji !== null && ' '}
      <span class={isTextHidden ? 'visually-hidden' : ''}>{shown.text}</span>
    </span>
  );
}
