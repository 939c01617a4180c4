import { currentStatus } from '../../client/presence.ts';
import type { CustomStatus } from '../../protocol/presence.ts';

/** A custom status, as long as it holds. */
export function StatusLine({ status }: { status: CustomStatus | null | undefined }) {
  const shown = currentStatus(status, Date.now());
  if (!shown) return null;
  return (
    <span class="custom-status" title={shown.text}>
      {shown.emoji ?? shown.text}
    </span>
  );
}
